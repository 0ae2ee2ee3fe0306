//! From a question to the passages of an assistant's files that answer it.

pub mod fusion;
pub mod judging;
pub mod language;
pub mod passage;
mod recheck;
pub mod relevance;
pub mod search;
pub mod vectors;
pub mod words;
