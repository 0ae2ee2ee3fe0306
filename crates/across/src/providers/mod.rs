//! What a language model is to the platform: one vocabulary for all vendors.

pub mod catalog;
pub mod chat;
pub mod credentials;
pub mod embedder;
pub mod failure;
pub mod gate;
pub mod key;
mod lists;
pub mod model;
pub mod names;
pub mod provider;
pub mod registry;
pub mod routing;
pub mod tokens;
