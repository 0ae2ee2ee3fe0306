//! The compact copy of an assistant's vectors: one byte a number with a scale for each row, scanned from end to end.

/// Rows of vectors, each of one chunk; a chunk has one row for each of its pieces.
pub(super) struct Index {
    dim: usize,
    /// The rows' numbers one row after another.
    codes: Vec<i8>,
    /// What each row's numbers were divided by, so that its largest is 127.
    scales: Vec<f32>,
    /// Which chunk each row belongs to, as a place in `chunks`; never decreasing.
    owners: Vec<u32>,
    /// The chunks by their numbers in the database.
    chunks: Vec<i64>,
}

impl Index {
    /// Without rows, for vectors of `dim` numbers.
    pub(super) const fn new(dim: usize) -> Self {
        Self {
            dim,
            codes: Vec::new(),
            scales: Vec::new(),
            owners: Vec::new(),
            chunks: Vec::new(),
        }
    }

    pub(super) const fn dim(&self) -> usize {
        self.dim
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.codes.capacity() + 8 * self.scales.capacity() + 8 * self.chunks.capacity()
    }

    /// How many products one scan computes.
    pub(super) const fn products(&self) -> usize {
        self.codes.len()
    }

    /// Adds a chunk with its pieces, one after another in `vectors`.
    pub(super) fn push(&mut self, chunk: i64, vectors: &[f32]) {
        let Ok(owner) = u32::try_from(self.chunks.len()) else {
            return;
        };
        self.chunks.push(chunk);
        for piece in vectors.chunks_exact(self.dim) {
            let scale = quantise(piece, &mut self.codes);
            self.scales.push(scale / norm(piece));
            self.owners.push(owner);
        }
    }

    /// The numbers of the `count` chunks that are probably nearest to `query`, in no particular order.
    pub(super) fn candidates(&self, query: &[f32], count: usize) -> Vec<i64> {
        let mut code = Vec::with_capacity(self.dim);
        quantise(query, &mut code);
        let mut best = vec![f32::NEG_INFINITY; self.chunks.len()];
        let rows = self.codes.chunks_exact(self.dim).zip(&self.scales).zip(&self.owners);
        for ((row, scale), owner) in rows {
            let score = dot(row, &code) as f32 * scale;
            if let Some(best) = best.get_mut(*owner as usize)
                && score > *best
            {
                *best = score;
            }
        }
        let mut ranked: Vec<(f32, i64)> = best.into_iter().zip(self.chunks.iter().copied()).collect();
        if count < ranked.len() {
            ranked.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            ranked.truncate(count);
        }
        ranked.into_iter().map(|(_, number)| number).collect()
    }
}

fn norm(piece: &[f32]) -> f32 {
    piece.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// Appends the numbers as bytes, the largest as 127; returns what one step of a byte stands for.
fn quantise(piece: &[f32], codes: &mut Vec<i8>) -> f32 {
    let largest = piece.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    // The cast saturates and the rounding is exact, so every number is within half a step.
    codes.extend(piece.iter().map(|x| (x * inverse).round() as i8));
    scale
}

/// The dot product of two rows; in portions of a fixed length the compiler uses vector instructions for it.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    let (a_portions, b_portions) = (a.chunks_exact(32), b.chunks_exact(32));
    let rest = portion(a_portions.remainder(), b_portions.remainder());
    a_portions.zip(b_portions).map(|(x, y)| portion(x, y)).sum::<i32>() + rest
}

#[inline]
fn portion(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| i32::from(i16::from(*x) * i16::from(*y)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_piece_counts_and_the_length_does_not() {
        let mut index = Index::new(2);
        index.push(1, &[1.0, 0.0, 0.0, 1.0]);
        index.push(2, &[50.0, 50.0]);
        index.push(3, &[-1.0, 0.0]);
        assert_eq!(index.candidates(&[0.0, 1.0], 1), [1]);
        assert_eq!(index.candidates(&[1.0, 1.0], 1), [2]);
        let mut all = index.candidates(&[1.0, 0.0], 9);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    }

    #[test]
    fn rows_of_any_length_are_multiplied_whole() {
        for length in [1, 31, 32, 33, 384] {
            let row: Vec<i8> = (0..length).map(|i| (i % 255) as i8).collect();
            let expected: i32 = row.iter().map(|x| i32::from(*x) * i32::from(*x)).sum();
            assert_eq!(dot(&row, &row), expected);
        }
    }
}
