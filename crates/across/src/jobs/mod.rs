//! Work that outlives a request: kept in the database, claimed under a lease, repeated until it is done or given up.

pub mod job;
pub mod queue;
pub mod runner;
