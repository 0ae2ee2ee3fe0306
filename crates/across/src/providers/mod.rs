//! What a language model is to the platform: one vocabulary for all vendors.

pub mod chat;
pub mod failure;
pub mod model;
pub mod provider;
pub mod registry;
