//! across
