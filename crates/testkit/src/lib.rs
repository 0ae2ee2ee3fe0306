//! across-testkit
