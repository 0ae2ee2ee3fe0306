//! across-server
