//! For tests only: doubles that behave like the real thing on the wire.

pub mod vendor;
