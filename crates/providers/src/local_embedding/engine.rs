//! The model itself: text to word pieces, word pieces to vectors.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::{AsView, Layout, NdTensor};
use rten_text::{TokenId, Tokenizer};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::reference;
use crate::vector::normalise;

/// How many numbers a vector has.
pub(super) const DIMENSIONS: usize = 384;
/// Word pieces that the model was trained to take at once, the marks at both ends included.
const WINDOW: usize = 256;
/// Word pieces that neighbouring windows share.
const OVERLAP: usize = 32;
/// Word pieces that a vector stands for at least, unless the text has no more.
const MIN_PIECE: usize = 48;
/// How near the known sentence's vector must come to the stored one. Some processors' 8-bit arithmetic saturates, and then
/// every vector would be quietly wrong.
const SELF_TEST: f32 = 0.98;

static MODEL: &[u8] = include_bytes!("../../../../assets/embedding/all-MiniLM-L6-v2.int8.onnx");
static TOKENIZER: &str = include_str!("../../../../assets/embedding/tokenizer.json");

/// The loaded model's weights and how to feed them. Shared by all engines.
pub(super) struct Weights {
    model: Model,
    inputs: [NodeId; 3],
    output: NodeId,
}

impl Weights {
    /// Loads them out of the binary.
    pub(super) fn load() -> Result<Self, String> {
        // Weights are put in the order of the processor once and not with every text: that was a fifth of a document's
        // time.
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_static_slice(MODEL)
            .map_err(|error| format!("the model file does not load: {error}"))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|error| format!("the model has no {name}: {error}"))
        };
        let inputs = [node("input_ids")?, node("attention_mask")?, node("token_type_ids")?];
        let output = node("last_hidden_state")?;
        Ok(Self { model, inputs, output })
    }
}

/// Everything that turns texts into vectors. The tokenizer binds it to one thread.
pub(super) struct Engine {
    weights: Arc<Weights>,
    tokenizer: Tokenizer,
    /// The marks that stand at both ends of what the model reads.
    ends: [TokenId; 2],
    pool: Arc<ThreadPool>,
}

impl Engine {
    /// An engine that computes on `threads` threads, proved on the known sentence.
    pub(super) fn new(weights: Arc<Weights>, threads: usize) -> Result<Self, String> {
        let tokenizer =
            Tokenizer::from_json(TOKENIZER).map_err(|error| format!("the word pieces do not load: {error}"))?;
        let mark = |name: &str| {
            tokenizer
                .get_token_id(name)
                .map_err(|error| format!("there is no {name}: {error}"))
        };
        let ends = [mark("[CLS]")?, mark("[SEP]")?];
        let engine = Self {
            weights,
            ends,
            tokenizer,
            pool: Arc::new(ThreadPool::with_num_threads(threads)),
        };
        engine.prove()?;
        Ok(engine)
    }

    /// The vectors of a text, at least one: one for each of its paragraphs, or for each window of a long one. A vector
    /// stands for one subject that way, and a question about the last paragraph is not drowned by the first.
    pub(super) fn embed(&self, text: &str) -> Result<Vec<Vec<f32>>, String> {
        let mut pieces = Vec::new();
        let mut gathered = Vec::new();
        let mut paragraphs = text.split("\n\n").peekable();
        while let Some(paragraph) = paragraphs.next() {
            gathered.extend(self.word_pieces(paragraph)?);
            // A heading or a line of a list says too little alone; it goes with what follows it.
            if gathered.len() >= MIN_PIECE || paragraphs.peek().is_none() {
                pieces.push(std::mem::take(&mut gathered));
            }
        }
        let windows = pieces
            .iter()
            .flat_map(|piece| windows(piece, WINDOW - self.ends.len(), OVERLAP));
        windows.map(|window| self.run(window)).collect()
    }

    fn word_pieces(&self, text: &str) -> Result<Vec<TokenId>, String> {
        let folded = fold(text);
        let encoded = self.tokenizer.encode(folded.as_str(), None);
        let encoded = encoded.map_err(|error| format!("no word pieces: {error}"))?;
        // The tokenizer adds the marks around the whole text; each window needs its own.
        let ids = encoded.token_ids();
        Ok(ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default().to_vec())
    }

    /// The vector of one window: the mean over its word pieces. There is no padding, so the mask covers everything.
    fn run(&self, window: &[TokenId]) -> Result<Vec<f32>, String> {
        let [first, last] = self.ends;
        let ids = std::iter::once(&first).chain(window).chain(std::iter::once(&last));
        let ids: Vec<i32> = ids.map(|id| i32::try_from(*id).unwrap_or_default()).collect();
        let tensor = |values: Vec<i32>| NdTensor::from_data([1, values.len()], values);
        let [id_input, mask_input, type_input] = self.weights.inputs;
        let (mask, types) = (vec![1; ids.len()], vec![0; ids.len()]);
        let inputs = vec![
            (id_input, tensor(ids).into()),
            (mask_input, tensor(mask).into()),
            (type_input, tensor(types).into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let Weights { model, output, .. } = self.weights.as_ref();
        let [hidden] = model
            .run_n(inputs, [*output], Some(options))
            .map_err(|error| format!("the model does not run: {error}"))?;
        let hidden: NdTensor<f32, 3> = hidden
            .try_into()
            .map_err(|error| format!("unexpected output: {error}"))?;
        if hidden.shape().last() != Some(&DIMENSIONS) {
            return Err(format!("unexpected output shape {:?}", hidden.shape()));
        }
        let mut sum = vec![0.0; DIMENSIONS];
        for row in hidden.to_vec().chunks_exact(DIMENSIONS) {
            for (total, value) in sum.iter_mut().zip(row) {
                *total += value;
            }
        }
        normalise(sum).ok_or_else(|| "the vector is zero or not a number".to_owned())
    }

    fn prove(&self) -> Result<(), String> {
        let vector = self.embed(reference::SENTENCE)?.pop().unwrap_or_default();
        let expected = normalise(reference::VECTOR.to_vec()).unwrap_or_default();
        let cosine: f32 = vector.iter().zip(&expected).map(|(a, b)| a * b).sum();
        if cosine > SELF_TEST {
            return Ok(());
        }
        Err(format!(
            "this processor computes the built-in embedder wrongly (cosine {cosine:.3} to the known vector): \
             configure another embedding provider"
        ))
    }
}

/// The windows over `tokens`: each of at most `size`, sharing `overlap`, the last one ending at the end. At least one.
fn windows(tokens: &[TokenId], size: usize, overlap: usize) -> Vec<&[TokenId]> {
    let mut windows = Vec::new();
    let mut start = 0;
    while start + size < tokens.len() {
        windows.extend(tokens.get(start..start + size));
        start += size - overlap;
    }
    // A short rest would be a vector of few words, so the last window reaches back to be as full as the others.
    windows.extend(tokens.get(start.min(tokens.len().saturating_sub(size))..));
    windows
}

/// The text as the model learned to read it: lower case without accents, every control character a space, every ideograph
/// a word. The tokenizer's own form of this panics on some Cyrillic, so its file names none.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
    {
        match c {
            c if c.is_control() => folded.push(' '),
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => folded.extend([' ', c, ' ']),
            c => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_everything_and_are_full() {
        let tokens: Vec<TokenId> = (0..1000).collect();
        for length in [0, 1, 253, 254, 255, 300, 476, 477, 1000] {
            let windows = windows(&tokens[..length], 254, 32);
            let full = windows.len() == 1 || windows.iter().all(|window| window.len() == 254);
            assert!(
                full,
                "{length}: {:?}",
                windows.iter().map(|w| w.len()).collect::<Vec<_>>()
            );
            let mut covered = 0;
            for window in windows {
                assert!(
                    window.first().is_none_or(|first| *first as usize <= covered),
                    "gap in {length}"
                );
                covered = window.last().map_or(0, |last| *last as usize + 1);
            }
            assert_eq!(covered, length);
        }
    }
}
