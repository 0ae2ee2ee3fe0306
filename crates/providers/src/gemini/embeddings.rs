//! Texts to vectors over `batchEmbedContents`: in batches, checked, of length 1.

use std::borrow::Cow;

use across::providers::{
    failure::ProviderError,
    provider::{EmbedPurpose, EmbedRequest, Embeddings},
};

use super::{
    request::text,
    wire::{EmbeddingList, EmbeddingRequest, OneText, WireUsage},
};
use crate::{
    batches::Batches,
    endpoint::{Ask, Endpoint},
    vector::normalise,
};

/// Texts in one request at most; the vendor takes 100.
const MAX_TEXTS: usize = 64;

pub(super) async fn embed(endpoint: &Endpoint, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
    let mut vectors = Vec::with_capacity(request.inputs.len());
    let mut tokens = None;
    let mut waiting = Batches::of(&request.inputs, MAX_TEXTS);
    while let Some(batch) = waiting.next() {
        match embed_batch(endpoint, request, batch).await {
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
    endpoint: &Endpoint,
    request: &EmbedRequest,
    texts: &[String],
) -> Result<(Vec<Vec<f32>>, Option<u64>), ProviderError> {
    let model = &request.model;
    let named = format!("models/{}", model.id);
    let one = |words| OneText {
        model: &named,
        content: words,
        task_type: match request.purpose {
            EmbedPurpose::Document => "RETRIEVAL_DOCUMENT",
            EmbedPurpose::Query => "RETRIEVAL_QUERY",
        },
        output_dimensionality: model.dimensions,
    };
    let contents = texts.iter().map(|words| text(None, Cow::Borrowed(words)));
    let requests = contents.map(one).collect();
    let method = format!("{}:batchEmbedContents", model.id);
    let ask = Ask {
        path: &["models", &method],
        body: Some(endpoint.json(&EmbeddingRequest { requests })?),
        ..Ask::default()
    };
    let list: EmbeddingList = endpoint.exchange(ask).await?;
    let (sent, found) = (texts.len(), list.embeddings.len());
    if found != sent {
        return Err(endpoint.malformed(format!("{sent} texts were sent, {found} vectors came back")));
    }
    let vectors = list.embeddings.into_iter().map(|embedding| {
        let (found, expected) = (embedding.values.len(), model.dimensions);
        if found != expected {
            let message = format!("a vector of {} has {found} numbers, not {expected}", model.id);
            return Err(endpoint.malformed(message));
        }
        normalise(embedding.values)
            .ok_or_else(|| endpoint.malformed("a vector is zero or holds a value that is no number"))
    });
    let tokens = list.usage_metadata.as_ref().and_then(WireUsage::input);
    Ok((vectors.collect::<Result<_, _>>()?, tokens))
}
