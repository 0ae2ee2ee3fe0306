//! across-extract
