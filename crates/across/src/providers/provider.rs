//! The port that every vendor's adapter implements.

use async_trait::async_trait;

use crate::{
    money::MicroUsd,
    providers::{
        chat::{ChatRequest, ChatStream},
        failure::{Category, ProviderError},
        model::{EmbeddingModel, Model, ProviderKind},
    },
};

/// What the vectors are for; some models treat questions and documents differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedPurpose {
    /// A piece of a document, to be found.
    Document,
    /// A question, to find with.
    Query,
}

/// Texts to turn into vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The model, as its provider knows it. Of a `custom` server its dimensions may be 0: then they are what it answers.
    pub model: EmbeddingModel,
    /// The texts, none of them empty.
    pub inputs: Vec<String>,
    /// What for.
    pub purpose: EmbedPurpose,
}

/// The vectors of one text: one for each piece that the model could take at once, at least one. All are finite, of the
/// model's dimension and of length 1.
pub type Pieces = Vec<Vec<f32>>;

/// The vectors of an [`EmbedRequest`]'s texts, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One entry a text.
    pub vectors: Vec<Pieces>,
    /// Tokens that the provider counted, if it did.
    pub tokens: Option<u64>,
}

/// What a call cost, as its provider says afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accounted {
    /// In all, rounded up to a whole micro-dollar.
    pub cost: MicroUsd,
    /// Tokens of the prompt as the model counts them, if it says so.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer as the model counts them, if it says so.
    pub completion_tokens: Option<u64>,
}

/// A vendor of language models.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Who it is.
    fn kind(&self) -> ProviderKind;

    /// Begins an answer, asking once: who asks again, and whom, is decided above. The request has been accepted when this
    /// returns; dropping the stream ends it upstream.
    ///
    /// # Errors
    /// Whatever was refused or failed before the first event.
    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError>;

    /// Turns texts into vectors, all or nothing.
    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, ProviderError>;

    /// The models it can chat with, as it lists them now.
    async fn models(&self) -> Result<Vec<Model>, ProviderError>;

    /// Whether it can be asked afterwards what a call cost.
    fn keeps_accounts(&self) -> bool {
        false
    }

    /// What a call cost that it called `upstream_id`: for answers that broke off before the provider counted. `None` if it
    /// does not know yet.
    ///
    /// # Errors
    /// [`Category::Unsupported`] if it keeps no account that can be asked.
    async fn accounted(&self, upstream_id: &str) -> Result<Option<Accounted>, ProviderError> {
        let _ = upstream_id;
        let message = "this provider tells nothing afterwards";
        Err(ProviderError::local(self.kind(), Category::Unsupported, message))
    }

    /// Whether the provider takes the key. By default it is asked for its models; a provider that lists them to anybody
    /// asks for something else.
    async fn check_key(&self) -> Result<(), ProviderError> {
        self.models().await.map(drop)
    }
}
