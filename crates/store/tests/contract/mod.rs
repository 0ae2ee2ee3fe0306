//! The contracts, one file for each domain.

mod api_keys;
mod assistants;
mod audit;
mod blobs;
mod catalogue;
mod conversations;
mod deeds;
mod entities;
mod fulltext;
mod group_commit;
mod identity;
mod knowledge;
mod meter;
mod migrations;
mod notices;
mod queue;
mod quotas;
mod replays;
mod sessions;
mod settings;
mod statistics;
mod throttle;
mod usage;
mod users;
mod vectors;
