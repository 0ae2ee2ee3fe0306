//! The contracts, one file for each domain.

mod assistants;
mod blobs;
mod conversations;
mod fulltext;
mod group_commit;
mod identity;
mod knowledge;
mod migrations;
mod queue;
mod sessions;
mod vectors;
