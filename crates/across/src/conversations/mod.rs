//! Talking to an assistant: conversations, their tree of messages, and the answers that the server writes into it.

mod accounting;
pub mod asking;
pub mod context;
pub mod conversation;
pub mod elsewhere;
pub mod event;
mod grounds;
pub mod live;
pub mod message;
pub mod reply;
pub mod title;
pub mod tree;
pub mod writing;
