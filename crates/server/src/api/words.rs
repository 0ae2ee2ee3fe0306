//! The closed lists of words on the wire: one enum for each, so that the document names every word a client may meet.

use across::{
    actor,
    conversations::message::{RetrievalOutcome, State},
    governance::{notice, quota::Scope, usage},
    jobs::queue::Waits,
    knowledge::{
        embedding::Phase,
        file::{Kind, Status},
    },
    money::PriceSource,
    providers::{chat::Speaker, credentials::Trial, model::ProviderKind},
    retrieval::judging::Verdict,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A list with the same members as a type of the product; a member that is new there does not compile here.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident from $source:path { $($word:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            $($word,)+
        }

        impl From<$source> for $name {
            fn from(source: $source) -> Self {
                use $source as Source;
                match source {
                    $(Source::$word => Self::$word,)+
                }
            }
        }
    )+};
}

words! {
    /// What a person may do; each may do what the ones before may.
    Role from actor::Role { User, Manager, Admin }

    /// The format of a knowledge file.
    FileType from Kind { Pdf, Docx, Txt, Md, Pptx, Xlsx, Csv, Html, Epub }

    /// Where a file is on its way to being found.
    FileStatus from Status { Uploading, Processing, Indexing, Ready, Error }

    /// What a job waits for that was tried before: another try after a failure, a provider or store that did not answer, room
    /// in a quota.
    JobWaits from Waits { Retry, Outage, Quota }

    /// Whose words a message holds.
    MessageRole from Speaker { User, Assistant }

    /// How far an answer is; a question is always complete.
    MessageStatus from State { Complete, Streaming, Stopped, Interrupted, Error }

    /// With what luck the files were searched.
    Retrieval from RetrievalOutcome { Ok, None, Unavailable }

    /// How much a notice matters.
    NoticeLevel from notice::Level { Info, Warning, Error }

    /// What a call to a provider was for.
    Purpose from usage::Purpose { Chat, Title, EmbedFile, EmbedQuery }

    /// Where the price of a call comes from: the provider said with the answer or afterwards what it charges, its list of
    /// models says it, the price table that is shipped, an administrator, the fallback for what nobody knows; or it is part
    /// of this program and free.
    PriceOrigin from PriceSource { Stated, Live, Table, Administrator, Fallback, BuiltIn }

    /// How far a change of the embedding model is.
    ChangePhase from Phase { Running, Done, Cancelled, Failed }

    /// How a trial of a key ended.
    KeyStatus from Trial { Ok, Unauthorized, Unreachable, Error }

    /// Why a chat would get a passage, or would not.
    FoundReason from Verdict { Kept, Joined, Duplicate, BeyondTopK, BelowThreshold }
}

/// Whose calls a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuotaScope {
    /// Everybody's.
    Global,
    /// Those of all people in a role, together.
    Role,
    /// One person's.
    User,
    /// Those of one assistant.
    Assistant,
}

impl QuotaScope {
    /// The product's name of it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Role => "role",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl From<Scope> for QuotaScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Global => Self::Global,
            Scope::Role(_) => Self::Role,
            Scope::User(_) => Self::User,
            Scope::Assistant(_) => Self::Assistant,
        }
    }
}

/// A provider that keys are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyProvider {
    OpenRouter,
    OpenAi,
    Anthropic,
    Google,
    /// Any other server that speaks OpenAI's dialect.
    Custom,
}

impl From<KeyProvider> for ProviderKind {
    fn from(provider: KeyProvider) -> Self {
        match provider {
            KeyProvider::OpenRouter => Self::OpenRouter,
            KeyProvider::OpenAi => Self::OpenAi,
            KeyProvider::Anthropic => Self::Anthropic,
            KeyProvider::Google => Self::Google,
            KeyProvider::Custom => Self::Custom,
        }
    }
}

/// Who serves models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProviderName {
    /// Built in: answers from the passages alone.
    Offline,
    /// Built in: turns text into vectors.
    Local,
    OpenRouter,
    OpenAi,
    Anthropic,
    Google,
    /// Any other server that speaks OpenAI's dialect.
    Custom,
}

impl From<ProviderKind> for ProviderName {
    fn from(kind: ProviderKind) -> Self {
        match kind {
            ProviderKind::Offline => Self::Offline,
            ProviderKind::Local => Self::Local,
            ProviderKind::OpenRouter => Self::OpenRouter,
            ProviderKind::OpenAi => Self::OpenAi,
            ProviderKind::Anthropic => Self::Anthropic,
            ProviderKind::Google => Self::Google,
            ProviderKind::Custom => Self::Custom,
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinishReason {
    /// It was complete.
    Stop,
    /// It reached the length limit.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
    /// Its reader ended it.
    Stopped,
}

impl From<&str> for FinishReason {
    /// The recorded word; as everywhere in the product, one that we do not know counts as complete.
    fn from(recorded: &str) -> Self {
        match recorded {
            "length" => Self::Length,
            "content_filter" => Self::ContentFilter,
            "stopped" => Self::Stopped,
            _ => Self::Stop,
        }
    }
}

/// How an access token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenType {
    Bearer,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Query parameters and columns use the product's own names; the wire must not know others.
    #[test]
    fn words_are_the_products_names() {
        for role in [actor::Role::User, actor::Role::Manager, actor::Role::Admin] {
            assert_eq!(json!(Role::from(role)), role.as_str());
        }
        for kind in Kind::ALL {
            assert_eq!(json!(FileType::from(kind)), kind.as_str());
        }
        for status in Status::ALL {
            assert_eq!(json!(FileStatus::from(status)), status.as_str());
        }
        for state in State::ALL {
            assert_eq!(json!(MessageStatus::from(state)), state.as_str());
        }
        for outcome in RetrievalOutcome::ALL {
            assert_eq!(json!(Retrieval::from(outcome)), outcome.as_str());
        }
        for level in notice::Level::ALL {
            assert_eq!(json!(NoticeLevel::from(level)), level.as_str());
        }
        for purpose in usage::Purpose::ALL {
            assert_eq!(json!(Purpose::from(purpose)), purpose.as_str());
        }
        for source in PriceSource::ALL {
            assert_eq!(json!(PriceOrigin::from(source)), source.as_str());
        }
        for kind in ProviderKind::KEYED {
            assert_eq!(json!(ProviderName::from(kind)), kind.as_str());
        }
        for provider in [
            KeyProvider::OpenRouter,
            KeyProvider::OpenAi,
            KeyProvider::Anthropic,
            KeyProvider::Google,
            KeyProvider::Custom,
        ] {
            assert_eq!(json!(provider), ProviderKind::from(provider).as_str());
        }
        for scope in [
            QuotaScope::Global,
            QuotaScope::Role,
            QuotaScope::User,
            QuotaScope::Assistant,
        ] {
            assert_eq!(json!(scope), scope.as_str());
        }
        for reason in ["stop", "length", "content_filter", "stopped"] {
            assert_eq!(json!(FinishReason::from(reason)), reason);
        }
    }
}
