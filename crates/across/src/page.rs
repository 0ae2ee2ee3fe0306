//! A window on a list: what was asked for, and what came back with the list's total.

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows at most.
    pub limit: u64,
    /// How many rows to pass over first.
    pub offset: u64,
}

/// A part of a list; rows and total come from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows asked for; empty beyond the end.
    pub items: Vec<T>,
    /// How many rows the whole list has under the same filter.
    pub total: u64,
}
