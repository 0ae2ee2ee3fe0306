//! The vendors' adapters through their port, against real HTTP on the loopback interface.

mod common;
mod embeddings;
mod failures;
mod local;
mod offline;
mod requests;
mod transcripts;
