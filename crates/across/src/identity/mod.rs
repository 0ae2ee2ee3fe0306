//! Who people are and how they prove it.

pub mod account;
pub mod password;
pub mod session;
pub mod sign_in;
pub mod throttle;
pub mod user;
