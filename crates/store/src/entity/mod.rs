//! One entity per table. Relations are not declared: queries name the columns they compare.

pub(crate) mod api_key;
pub(crate) mod assistant;
pub(crate) mod audit_log;
pub(crate) mod audit_retention;
pub(crate) mod chunk;
pub(crate) mod chunk_vector;
pub(crate) mod conversation;
pub(crate) mod embedding_change;
pub(crate) mod file_text;
pub(crate) mod job;
pub(crate) mod kept_value;
pub(crate) mod knowledge_file;
pub(crate) mod known_address;
pub(crate) mod message;
pub(crate) mod notice;
pub(crate) mod notice_dismissal;
pub(crate) mod quota_counter;
pub(crate) mod quota_hold;
pub(crate) mod refresh_token;
pub(crate) mod request_key;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod throttle_counter;
pub(crate) mod usage_log;
pub(crate) mod usage_quota;
pub(crate) mod user;
