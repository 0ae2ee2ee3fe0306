//! Talking to an assistant: conversations, their tree of messages, and the answers that the server writes into it.

mod accounting;
pub mod context;
pub mod conversation;
pub mod event;
pub mod live;
pub mod message;
pub mod reply;
pub mod writing;
