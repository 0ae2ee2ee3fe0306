//! The copy in memory of one file's vectors, and the exact scan over the copies of an assistant's files.

use std::sync::Arc;

use rten_simd::{Isa, SimdOp};

use super::codes;

/// The vectors of one generation of a file in one space; they never change.
pub(super) struct Segment {
    dim: usize,
    /// The rows' numbers one row after another; a chunk has one row for each of its pieces.
    codes: Vec<i8>,
    /// What a step of each row's numbers stands for.
    scales: Vec<f32>,
    /// The chunks by their numbers in the database, each with the row after its last.
    chunks: Vec<(i64, u32)>,
}

impl Segment {
    /// Without rows, for vectors of `dim` numbers, with room for one row of each of so many chunks.
    pub(super) fn with_room(dim: usize, chunks: usize) -> Self {
        Self {
            dim,
            codes: Vec::with_capacity(chunks * dim),
            scales: Vec::with_capacity(chunks),
            chunks: Vec::with_capacity(chunks),
        }
    }

    pub(super) const fn dim(&self) -> usize {
        self.dim
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.codes.capacity() + 4 * self.scales.capacity() + 16 * self.chunks.capacity()
    }

    /// How many products one scan computes.
    pub(super) const fn products(&self) -> usize {
        self.codes.len()
    }

    /// Adds a chunk by its stored codes; `false` if they are damaged, or the chunk should have another number of vectors.
    pub(super) fn push(&mut self, chunk: i64, stored: &[u8], vectors: usize) -> bool {
        let Some((scales, codes)) = codes::decode(stored, self.dim) else {
            return false;
        };
        if codes.len() != vectors * self.dim {
            return false;
        }
        self.scales.extend(scales);
        self.codes.extend(codes.iter().map(|byte| byte.cast_signed()));
        let Ok(end) = u32::try_from(self.scales.len()) else {
            return false;
        };
        self.chunks.push((chunk, end));
        true
    }
}

/// The numbers of the `count` chunks that are probably nearest to `query`, in no particular order.
pub(super) fn candidates(segments: &[Arc<Segment>], query: &[f32], count: usize) -> Vec<i64> {
    let mut code = Vec::with_capacity(query.len());
    codes::quantise(query, &mut code);
    // Widened once: the rows' numbers are widened while they are multiplied.
    let query: Vec<i16> = code.into_iter().map(i16::from).collect();
    let chunks = segments.iter().map(|segment| segment.chunks.len()).sum();
    let mut ranked = Vec::with_capacity(chunks);
    Scan {
        segments,
        query: &query,
        scored: &mut ranked,
    }
    .dispatch();
    if count < ranked.len() {
        ranked.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(count);
    }
    ranked.into_iter().map(|(_, number)| number).collect()
}

/// Scores every chunk. As an operation of this kind it is compiled once for each instruction set, and the processor's best
/// one is used.
struct Scan<'a> {
    segments: &'a [Arc<Segment>],
    query: &'a [i16],
    scored: &'a mut Vec<(f32, i64)>,
}

impl SimdOp for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        for segment in self.segments {
            let mut rows = segment.codes.chunks_exact(segment.dim.max(1)).zip(&segment.scales);
            let mut at = 0;
            for (number, end) in &segment.chunks {
                let mut best = f32::NEG_INFINITY;
                for (row, scale) in rows.by_ref().take((end - at) as usize) {
                    best = best.max(dot(row, self.query) as f32 * scale);
                }
                at = *end;
                self.scored.push((best, *number));
            }
        }
    }
}

/// The dot product of a row and a question. Inlined, so that it uses the instructions that its caller is compiled for; and
/// one plain sum, which compilers know how to turn into instructions that multiply and add pairs.
#[inline(always)]
fn dot(row: &[i8], query: &[i16]) -> i32 {
    row.iter().zip(query).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(dim: usize, chunks: &[(i64, &[f32])]) -> Arc<Segment> {
        let mut segment = Segment::with_room(dim, chunks.len());
        for (number, pieces) in chunks {
            assert!(segment.push(*number, &codes::encode(pieces, dim), pieces.len() / dim));
        }
        Arc::new(segment)
    }

    #[test]
    fn the_best_piece_counts_and_the_length_does_not() {
        let one = segment(2, &[(1, &[1.0, 0.0, 0.0, 1.0]), (2, &[50.0, 50.0])]);
        let other = segment(2, &[(3, &[-1.0, 0.0])]);
        let both = [one, other];
        assert_eq!(candidates(&both, &[0.0, 1.0], 1), [1]);
        assert_eq!(candidates(&both, &[1.0, 1.0], 1), [2]);
        let mut all = candidates(&both, &[1.0, 0.0], 9);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut segment = Segment::with_room(2, 1);
        let whole = codes::encode(&[1.0, 0.0], 2);
        assert!(!segment.push(1, &whole[..5], 1) && !segment.push(1, &whole, 2) && segment.push(1, &whole, 1));
        assert_eq!(segment.products(), 2);
    }

    #[test]
    fn rows_of_any_length_are_multiplied_whole() {
        for length in [1, 31, 32, 33, 384] {
            let row: Vec<i8> = (0..length).map(|i| (i % 127) as i8).collect();
            let query: Vec<i16> = row.iter().map(|x| i16::from(*x)).collect();
            let expected: i32 = query.iter().map(|x| i32::from(*x) * i32::from(*x)).sum();
            assert_eq!(dot(&row, &query), expected);
        }
    }
}
