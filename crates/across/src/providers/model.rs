//! Models and who serves them.

use crate::money::Tariff;

/// A vendor, or something that stands in for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// Built in: answers from the passages alone, with no key and no network.
    Offline,
    /// Built in: turns text into vectors, with no key and no network.
    Local,
    /// OpenAI, or a server that stands in for it.
    OpenAi,
    /// OpenRouter, which passes on to many others.
    OpenRouter,
    /// Anthropic.
    Anthropic,
    /// Google.
    Google,
    /// Any other server that speaks OpenAI's dialect.
    Custom,
}

impl ProviderKind {
    /// Those that keys are kept for.
    pub const KEYED: [Self; 5] = [
        Self::OpenRouter,
        Self::OpenAi,
        Self::Anthropic,
        Self::Google,
        Self::Custom,
    ];

    /// The keyed provider of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::KEYED.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The provider of that name, keyed or built in.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let built_in = [Self::Offline, Self::Local]
            .into_iter()
            .find(|kind| kind.as_str() == name);
        built_in.or_else(|| Self::parse(name))
    }

    /// Whether it is part of this program: then calling it costs nothing and leaves the house by no wire.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        matches!(self, Self::Offline | Self::Local)
    }

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Local => "local",
            Self::OpenAi => "openai",
            Self::OpenRouter => "openrouter",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Custom => "custom",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn called(self) -> &'static str {
        match self {
            Self::Offline | Self::Local => "AI-Across",
            Self::OpenAi => "OpenAI",
            Self::OpenRouter => "OpenRouter",
            Self::Anthropic => "Anthropic",
            Self::Google => "Google",
            Self::Custom => "its server",
        }
    }
}

/// A language model that can chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What requests call it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who serves it.
    pub provider: ProviderKind,
    /// Tokens of prompt and answer together, if known.
    pub context_length: Option<u32>,
    /// Tokens of one answer at most, if known.
    pub max_output_tokens: Option<u32>,
    /// What its tokens cost, if known: as its provider lists it, or as the catalogue found elsewhere.
    pub tariff: Option<Tariff>,
}

/// A model that makes vectors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmbeddingModel {
    /// What requests call it, e.g. `text-embedding-3-small`.
    pub id: String,
    /// How many numbers a vector has.
    pub dimensions: usize,
}

impl EmbeddingModel {
    /// The name of the space its vectors live in: vectors of different spaces are never compared.
    #[must_use]
    pub fn space(&self) -> String {
        format!("{}:{}", self.id, self.dimensions)
    }
}
