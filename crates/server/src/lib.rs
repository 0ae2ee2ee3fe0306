//! The server: the product over HTTP, its configuration and its process. The program `ai-across` is [`cli::run`];
//! integration tests use the same parts.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`], [`config`], [`logging`], [`failure`] | command line, settings, log lines, exit codes |
//! | [`compose`], [`data_dir`], [`extractor`] | what stands behind each port |
//! | [`serve`], [`recovery`], [`state`], [`metrics`] | the process: start, connections, signals, end, what it counts |
//! | `wire`, `head`, `pace`, [`limits`], `address`, `cors` | the edge: what a connection, a request and a client may do |
//! | [`router`], [`api`], [`auth`], [`input`], [`error`], [`middleware`], [`sse`] | HTTP |
//! | [`idempotency`], [`etag`], [`csv`] | requests sent twice, versions, exports |
//! | [`doctor`] | whether everything is as it must be |
//! | [`openapi`], [`spa`] | the interface's description, the web app |

mod address;
pub mod api;
pub mod auth;
pub mod cli;
pub mod compose;
pub mod config;
mod cors;
pub mod csv;
pub mod data_dir;
pub mod doctor;
pub mod error;
pub mod etag;
pub mod extractor;
pub mod failure;
mod head;
pub mod idempotency;
pub mod input;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod middleware;
pub mod openapi;
mod pace;
pub mod recovery;
pub mod router;
pub mod serve;
pub mod spa;
pub mod sse;
pub mod state;
mod unlock;
mod wire;
