//! Vectors in a quarter of their bytes, as the copy in memory scans them: each number as one byte, each vector with a scale.
//!
//! Stored as CRC-32 of the rest, then a 32-bit float a vector, then the vectors' bytes; all little-endian.

/// Bytes of the checksum, and of a scale.
const WORD: usize = 4;

/// The codes of vectors that follow each other in `pieces`, `dim` numbers each.
pub(crate) fn encode(pieces: &[f32], dim: usize) -> Vec<u8> {
    let count = pieces.len() / dim.max(1);
    let mut bytes = vec![0; WORD];
    bytes.reserve(count * (WORD + dim));
    let mut codes = Vec::with_capacity(pieces.len());
    for piece in pieces.chunks_exact(dim.max(1)) {
        let length = piece.iter().map(|x| x * x).sum::<f32>().sqrt();
        // What one step stands for, of a vector of length 1: cosines come out whatever the length was.
        let scale = quantise(piece, &mut codes) / length;
        bytes.extend(scale.to_le_bytes());
    }
    bytes.extend(codes.iter().map(|code| code.cast_unsigned()));
    let (head, rest) = bytes.split_at_mut(WORD);
    head.copy_from_slice(&crc32fast::hash(rest).to_le_bytes());
    bytes
}

/// The scales and the codes of what [`encode`] made for this dimension; `None` if it did not.
pub(super) fn decode(bytes: &[u8], dim: usize) -> Option<(impl Iterator<Item = f32>, &[u8])> {
    let (checksum, rest) = bytes.split_first_chunk::<WORD>()?;
    let count = rest.len() / (WORD + dim);
    let is_whole = dim > 0 && count > 0 && rest.len() == count * (WORD + dim);
    if !is_whole || crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (scales, codes) = rest.split_at_checked(count * WORD)?;
    let scales = scales.as_chunks::<WORD>().0.iter();
    Some((scales.map(|four| f32::from_le_bytes(*four)), codes))
}

/// Appends the numbers as bytes, the largest as 127; returns what one step of a byte stands for.
pub(super) fn quantise(piece: &[f32], codes: &mut Vec<i8>) -> f32 {
    let largest = piece.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    // The cast saturates and the rounding is exact, so every number is within half a step.
    codes.extend(piece.iter().map(|x| (x * inverse).round() as i8));
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_within_half_a_step() {
        let pieces = [0.6, 0.8, 0.0, -3.0, 0.0, 4.0];
        let bytes = encode(&pieces, 3);
        assert_eq!(bytes.len(), 4 + 2 * (4 + 3));
        let (scales, codes) = decode(&bytes, 3).unwrap();
        let (scales, codes): (Vec<f32>, Vec<i8>) = (scales.collect(), codes.iter().map(|b| b.cast_signed()).collect());
        assert_eq!(codes, [95, 127, 0, -95, 0, 127]);
        for (at, code) in codes.iter().enumerate() {
            let expected = pieces[at] / if at < 3 { 1.0 } else { 5.0 };
            assert!((f32::from(*code) * scales[at / 3] - expected).abs() <= scales[at / 3] / 2.0 + 1e-6);
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let bytes = encode(&[0.6, 0.8, 0.0, 1.0], 4);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], 4).is_none(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped, 4).is_none(), "bit {bit}");
        }
        assert!(decode(&bytes, 5).is_none() && decode(&bytes, 0).is_none());
    }
}
