//! What any implementation of the ports must do, run on SQLite always and on PostgreSQL when `TEST_DATABASE_URL` names one
//! (with `CI=true` it must).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod bench;
mod contract;
