//! The server, tested through its front doors.

mod assistants;
mod auth;
mod chat;
mod files;
mod harness;
mod http;
mod process;
