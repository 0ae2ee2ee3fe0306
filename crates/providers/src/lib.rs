//! across-providers
