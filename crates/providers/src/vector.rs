//! What every maker of vectors needs.

/// `vector` scaled to length 1; `None` if it is zero or holds a value that is not a finite number.
pub(crate) fn normalise(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !length.is_finite() || length <= f32::MIN_POSITIVE {
        return None;
    }
    for value in &mut vector {
        *value /= length;
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_directions_are_normalised() {
        assert_eq!(normalise(vec![3.0, -4.0]), Some(vec![0.6, -0.8]));
        for bad in [
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
            Vec::new(),
        ] {
            assert_eq!(normalise(bad), None);
        }
    }
}
