//! across-store
