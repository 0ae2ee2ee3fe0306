//! What a language model is to the platform: one vocabulary for all vendors.

pub mod chat;
pub mod credentials;
pub mod embedder;
pub mod failure;
pub mod gate;
pub mod key;
pub mod model;
pub mod provider;
pub mod registry;
pub mod routing;
pub mod tokens;
