//! The vendors' adapters through their port, against real HTTP on the loopback interface.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod common;
#[cfg(test)]
mod double;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod local;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod openrouter;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod vendors;
