//! What may be spent, what was, and who is told.

pub mod meter;
pub mod notice;
pub mod price;
pub mod quota;
pub mod usage;
pub mod window;
