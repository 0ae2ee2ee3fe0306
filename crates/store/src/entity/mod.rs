//! One entity per table. Relations are not declared: queries name the columns they compare.

pub(crate) mod assistant;
pub(crate) mod chunk;
pub(crate) mod conversation;
pub(crate) mod file_text;
pub(crate) mod job;
pub(crate) mod kept_value;
pub(crate) mod knowledge_file;
pub(crate) mod message;
pub(crate) mod refresh_token;
pub(crate) mod session;
pub(crate) mod user;
