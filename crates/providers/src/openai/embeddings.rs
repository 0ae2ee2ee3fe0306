//! Texts to vectors over `POST /embeddings`: in batches, checked, of length 1.

use across::providers::{
    failure::ProviderError,
    model::ProviderKind,
    provider::{EmbedRequest, Embeddings},
};

use super::{
    OpenAi,
    models::embedding_dimensions,
    wire::{EmbeddingList, EmbeddingRequest},
};
use crate::{batches::Batches, endpoint::Ask, vector::normalise};

/// Texts in one request to OpenAI at most.
const MAX_TEXTS: usize = 64;
/// Texts in one request to any other server at most: many compute on a processor, and a request must end in time.
const MAX_TEXTS_ELSEWHERE: usize = 32;

pub(super) async fn embed(server: &OpenAi, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
    let limit = if server.is_official() || server.endpoint.kind == ProviderKind::OpenRouter {
        MAX_TEXTS
    } else {
        MAX_TEXTS_ELSEWHERE
    };
    let mut vectors = Vec::with_capacity(request.inputs.len());
    let mut tokens = None;
    let mut waiting = Batches::of(&request.inputs, limit);
    while let Some(batch) = waiting.next() {
        match embed_batch(server, request, batch).await {
            Ok((batch, counted)) => {
                vectors.extend(batch.into_iter().map(|vector| vec![vector]));
                tokens = counted.map(|counted| tokens.unwrap_or(0) + counted).or(tokens);
            }
            Err(error) if waiting.halve(batch, &error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Embeddings { vectors, tokens })
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
