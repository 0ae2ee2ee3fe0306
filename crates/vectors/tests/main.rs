//! The contract of vector stores, on every server that the environment names, and on a double of Qdrant. What only a double
//! can do, failing when told, is tried there too.

#[cfg(test)]
mod failures;
#[cfg(test)]
mod servers;
