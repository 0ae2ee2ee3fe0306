//! Everything the crate promises, asked of it through `detect` and `extract`: real documents and hostile ones.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_kinds;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod more_documents;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
