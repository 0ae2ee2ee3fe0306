//! Vectors from word hashes, so that texts with the same words are near each other.

use serde_json::{Value, json};

/// The answer to `POST /embeddings`.
pub(super) fn answer(request: &Value) -> Value {
    let model = request.get("model").and_then(Value::as_str).unwrap_or_default();
    let usual = if model.ends_with("3-large") { 3072 } else { 1536 };
    let asked = request
        .get("dimensions")
        .and_then(Value::as_u64)
        .and_then(|asked| usize::try_from(asked).ok());
    let dimensions = asked.filter(|asked| (1..=usual).contains(asked)).unwrap_or(usual);
    let texts: Vec<&str> = match request.get("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let data = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text, dimensions)}));
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count() * 4 / 3).sum();
    json!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

/// The answer to Gemini's `batchEmbedContents`.
pub(super) fn gemini_answer(request: &Value) -> Value {
    let requests = request.get("requests").and_then(Value::as_array).into_iter().flatten();
    let embeddings = requests.map(|one| {
        let text = one.pointer("/content/parts/0/text").and_then(Value::as_str);
        let asked = one.get("outputDimensionality").and_then(Value::as_u64);
        let dimensions = asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(3072);
        json!({"values": vector(text.unwrap_or_default(), dimensions.clamp(1, 3072))})
    });
    json!({"embeddings": embeddings.collect::<Vec<_>>()})
}

/// A vector of length 1 in which every word of `text` has a direction of its own.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let text = text.to_lowercase();
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let hash = hash(word);
        // Eight numbers for each word, so that two words rarely fall together.
        for turn in 0..8 {
            let bits = hash.rotate_left(turn * 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let place = usize::try_from(bits >> 33).unwrap_or_default() % dimensions;
            let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
            if let Some(value) = vector.get_mut(place) {
                *value += sign;
            }
        }
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}

/// FNV-1a: the same on every machine and in every run.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_the_same_words_are_near() {
        let cosine =
            |a: &str, b: &str| -> f32 { vector(a, 1536).iter().zip(vector(b, 1536)).map(|(a, b)| a * b).sum() };
        assert!((cosine("the vacation policy", "THE vacation, policy!") - 1.0).abs() < 1e-5);
        let near = cosine("how many vacation days", "vacation days are many");
        let far = cosine("how many vacation days", "the canteen opens at noon");
        assert!(near > 0.6 && far < 0.2, "{near} {far}");
    }
}
