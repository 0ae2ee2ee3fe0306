//! Vectors as bytes, and what can be computed from them: 32-bit floats, little-endian, one piece after another.

use super::codes;

/// The vectors of a chunk as they are stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) dim: i32,
    pub(crate) codes: Vec<u8>,
    pub(crate) vectors: Vec<u8>,
    pub(crate) checksum: i64,
}

/// How a chunk's pieces are stored. `None` unless there is at least one and all have the same length, finite numbers and a
/// direction.
pub(crate) fn encode(pieces: &[Vec<f32>]) -> Option<Encoded> {
    let dim = pieces.first()?.len();
    let sound = dim > 0 && pieces.iter().all(|piece| piece.len() == dim && is_sound(piece));
    let stored = i32::try_from(dim).ok().filter(|_| sound)?;
    let numbers = pieces.concat();
    let vectors: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Some(Encoded {
        dim: stored,
        codes: codes::encode(&numbers, dim),
        checksum: checksum(&vectors),
        vectors,
    })
}

/// The checksum of stored vectors: CRC-32.
pub(crate) fn checksum(vectors: &[u8]) -> i64 {
    i64::from(crc32fast::hash(vectors))
}

/// The pieces one after another. `None` if the bytes are not what [`encode`] makes for this dimension.
pub(crate) fn decode(bytes: &[u8], dim: usize) -> Option<Vec<f32>> {
    let size = dim.checked_mul(4).filter(|size| *size > 0)?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        return None;
    }
    let numbers: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    numbers.chunks_exact(dim).all(is_sound).then_some(numbers)
}

fn is_sound(piece: &[f32]) -> bool {
    // The sum is finite only if every number is, and no number is too large to be squared.
    let square: f32 = piece.iter().map(|x| x * x).sum();
    square.is_finite() && square > 0.0
}

/// The largest cosine between `query` and the pieces.
pub(super) fn best_cosine(pieces: &[f32], query: &[f32]) -> Option<f32> {
    let length = dot(query, query).sqrt();
    pieces
        .chunks_exact(query.len().max(1))
        .map(|piece| (dot(piece, query) / (dot(piece, piece).sqrt() * length)).clamp(-1.0, 1.0))
        .max_by(f32::total_cmp)
}

/// The dot product, in lanes of its own that the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, b_lanes) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(x, y)| x * y)
        .sum();
    let mut sums = [0.0f32; 16];
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_as_they_were() {
        let pieces = vec![vec![0.6, 0.8, 0.0], vec![1.0, 0.0, 0.0]];
        let encoded = encode(&pieces).unwrap();
        assert_eq!((encoded.dim, encoded.vectors.len()), (3, 24));
        assert_eq!(decode(&encoded.vectors, 3).unwrap(), pieces.concat());
        assert_eq!(best_cosine(&pieces.concat(), &[1.0, 0.0, 0.0]), Some(1.0));
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = encode(&[vec![0.6, 0.8, 0.0]]).unwrap().vectors;
        for cut in 0..12 {
            assert_eq!(decode(&bytes[..cut], 3), None, "{cut} bytes");
        }
        let mut odd = bytes;
        odd[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(decode(&odd, 3), None);
        odd[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert_eq!(decode(&odd, 3), None);
        assert_eq!(decode(&[0; 12], 3), None);
    }

    #[test]
    fn what_is_no_vector_is_not_written() {
        for bad in [
            vec![],
            vec![vec![]],
            vec![vec![1.0], vec![1.0, 0.0]],
            vec![vec![f32::NAN]],
            vec![vec![0.0, 0.0]],
        ] {
            assert_eq!(encode(&bad), None, "{bad:?}");
        }
    }
}
