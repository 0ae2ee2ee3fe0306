//! Texts to vectors over `POST /embeddings`: in batches, checked, of length 1.

use across::providers::{
    failure::{Category, ProviderError},
    model::ProviderKind,
    provider::{EmbedRequest, Embeddings},
};

use super::{
    OpenAi,
    models::embedding_dimensions,
    wire::{EmbeddingList, EmbeddingRequest},
};
use crate::{endpoint::Ask, vector::normalise};

/// Texts in one request to OpenAI at most.
const MAX_TEXTS: usize = 64;
/// Texts in one request to any other server at most: many compute on a processor, and a request must end in time.
const MAX_TEXTS_ELSEWHERE: usize = 32;
/// Bytes in one request at most. A token is at least a byte, so this keeps every request under 250 000 tokens.
const MAX_BYTES: usize = 250_000;

pub(super) async fn embed(server: &OpenAi, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
    let limit = if server.is_official() || server.endpoint.kind == ProviderKind::OpenRouter {
        MAX_TEXTS
    } else {
        MAX_TEXTS_ELSEWHERE
    };
    let mut vectors = Vec::with_capacity(request.inputs.len());
    let mut tokens = None;
    let mut waiting = batches(&request.inputs, limit);
    waiting.reverse();
    while let Some(batch) = waiting.pop() {
        match embed_batch(server, request, batch).await {
            Ok((batch, counted)) => {
                vectors.extend(batch.into_iter().map(|vector| vec![vector]));
                tokens = counted.map(|counted| tokens.unwrap_or(0) + counted).or(tokens);
            }
            // Some servers take less at once than OpenAI; half of it may fit.
            Err(error) if batch.len() > 1 && matches!(error.category, Category::TooLong | Category::TooLarge) => {
                let (left, right) = batch.split_at(batch.len() / 2);
                waiting.extend([right, left]);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Embeddings { vectors, tokens })
}

/// Cuts the texts into batches that keep both limits; a text alone may exceed the second.
fn batches(texts: &[String], limit: usize) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, text) in texts.iter().enumerate() {
        if index > start && (index - start == limit || bytes + text.len() > MAX_BYTES) {
            batches.extend(texts.get(start..index));
            (start, bytes) = (index, 0);
        }
        bytes += text.len();
    }
    batches.extend(texts.get(start..).filter(|rest| !rest.is_empty()));
    batches
}

async fn embed_batch(
    server: &OpenAi,
    request: &EmbedRequest,
    texts: &[String],
) -> Result<(Vec<Vec<f32>>, Option<u64>), ProviderError> {
    let model = &request.model;
    let endpoint = &server.endpoint;
    // The same model is listed under its maker's name there.
    let listed = match endpoint.kind {
        ProviderKind::OpenRouter if !model.id.contains('/') => format!("openai/{}", model.id),
        _ => model.id.clone(),
    };
    // Many servers do not know the parameter, so it is sent only where it changes something.
    let shortened = embedding_dimensions(&model.id).is_some_and(|usual| usual != model.dimensions);
    let body = endpoint.json(&EmbeddingRequest {
        model: &listed,
        input: texts,
        encoding_format: "float",
        dimensions: shortened.then_some(model.dimensions),
    })?;
    let ask = Ask {
        path: &["embeddings"],
        body: Some(body),
        ..Ask::default()
    };
    let mut list: EmbeddingList = endpoint.exchange(ask).await?;
    if list.data.len() != texts.len() {
        return Err(endpoint.malformed(format!(
            "{} texts were sent, {} vectors came back",
            texts.len(),
            list.data.len()
        )));
    }
    // The sort is stable, so a server that gives no index is taken to answer in order.
    list.data.sort_by_key(|entry| entry.index.unwrap_or(0));
    let vectors = list.data.into_iter().map(|entry| entry.embedding);
    let vectors = vectors.map(|vector| {
        // Zero asks how long they are.
        if model.dimensions > 0 && vector.len() != model.dimensions {
            let (found, expected) = (vector.len(), model.dimensions);
            return Err(endpoint.malformed(format!("a vector of {} has {found} numbers, not {expected}", model.id)));
        }
        normalise(vector).ok_or_else(|| endpoint.malformed("a vector is zero or holds a value that is no number"))
    });
    Ok((
        vectors.collect::<Result<_, _>>()?,
        list.usage.and_then(|usage| usage.input()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits_and_the_order() {
        let sizes = |texts: &[String], limit| {
            batches(texts, limit)
                .iter()
                .map(|batch| batch.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&vec!["x".to_owned(); 130], 64), [64, 64, 2]);
        assert_eq!(sizes(&[], 64), Vec::<usize>::new());
        let big = "x".repeat(MAX_BYTES - 1);
        assert_eq!(
            sizes(&[big.clone(), "y".into(), "z".into(), big.clone() + "yyy", big], 64),
            [2, 1, 1, 1]
        );
    }
}
