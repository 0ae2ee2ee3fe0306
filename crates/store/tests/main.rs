//! What any implementation of the ports must do, run on SQLite always and on PostgreSQL when `TEST_DATABASE_URL` names one
//! (with `CI=true` it must).

mod bench;
mod contract;
