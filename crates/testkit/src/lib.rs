//! For tests only: doubles that behave like the real thing on the wire, and contracts that several things must keep.

pub mod qdrant;
pub mod vectors;
pub mod vendor;
