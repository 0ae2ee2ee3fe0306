//! Assistants: instructions, a model and knowledge under a name. Created, changed, archived and restored.

use async_trait::async_trait;

use serde_json::{Map, Value, json};

use crate::{
    audit::{Audited, Deed},
    clock::Time,
    fault::{Problem, StoreError},
    id::AssistantId,
    page::{Page, PageRequest},
};

/// How many assistants an installation may have.
pub const MAX_ASSISTANTS: u64 = 500;
/// Characters of a name.
pub const NAME: std::ops::RangeInclusive<usize> = 3..=50;
/// Characters of a description at most.
pub const DESCRIPTION_MAX: usize = 500;
/// Characters of the instructions at most.
pub const INSTRUCTIONS_MAX: usize = 20_000;
/// Sampling temperature.
pub const TEMPERATURE: std::ops::RangeInclusive<f64> = 0.0..=2.0;
/// Temperature unless said otherwise.
pub const DEFAULT_TEMPERATURE: f64 = 0.7;
/// Tokens of one answer at most.
pub const MAX_TOKENS: std::ops::RangeInclusive<u32> = 1..=32_768;
/// Tokens of one answer at most unless said otherwise.
pub const DEFAULT_MAX_TOKENS: u32 = 2_048;
/// Bytes of an avatar picture at most.
pub const AVATAR_MAX_BYTES: usize = 100 * 1024;

/// What makes an assistant what it is; validated by whoever builds it from outside input (see [`Draft::problems`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// 3–50 characters on one line.
    pub name: String,
    /// Up to 500 characters.
    pub description: Option<String>,
    /// Up to 20 000 characters: the system prompt's heart.
    pub instructions: String,
    /// A model's id; `None` means whatever the platform's default is at the time.
    pub model: Option<String>,
    /// 0–2.
    pub temperature: f64,
    /// 1–32 768.
    pub max_tokens: u32,
    /// A `data:` URL of a small raster picture.
    pub avatar_url: Option<String>,
}

/// An assistant.
#[derive(Debug, Clone, PartialEq)]
pub struct Assistant {
    /// Which.
    pub id: AssistantId,
    /// What it is.
    pub draft: Draft,
    /// Archived: hidden from users and from new conversations until restored.
    pub is_deleted: bool,
    /// How many knowledge files it has.
    pub file_count: u64,
    /// How many of them are being read for the first time, and cannot be searched yet.
    pub reading_count: u64,
    /// Grows with every change; the HTTP layer's `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Audited for Assistant {
    fn audit_id(&self) -> String {
        self.id.to_string()
    }

    fn audit_values(&self) -> Map<String, Value> {
        let draft = &self.draft;
        let values = json!({
            "name": draft.name,
            "description": draft.description,
            "instructions": draft.instructions,
            "model": draft.model,
            "temperature": draft.temperature,
            "max_tokens": draft.max_tokens,
            "avatar_url": draft.avatar_url,
            "is_deleted": self.is_deleted,
        });
        values.as_object().cloned().unwrap_or_default()
    }
}

impl Draft {
    /// Everything that is wrong with this draft; empty if nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |ok: bool, field, message: &str| {
            if !ok {
                found.push(Problem {
                    field,
                    message: message.to_owned(),
                });
            }
        };
        check(
            NAME.contains(&self.name.chars().count()),
            "name",
            "A name has 3 to 50 characters.",
        );
        check(
            !self.name.chars().any(char::is_control),
            "name",
            "A name is one line of plain text.",
        );
        let description = self.description.as_deref().unwrap_or_default();
        check(
            description.chars().count() <= DESCRIPTION_MAX,
            "description",
            "A description has at most 500 characters.",
        );
        check(
            self.instructions.chars().count() <= INSTRUCTIONS_MAX,
            "instructions",
            "Instructions have at most 20,000 characters.",
        );
        check(
            TEMPERATURE.contains(&self.temperature),
            "temperature",
            "The temperature is a number from 0 to 2.",
        );
        check(
            MAX_TOKENS.contains(&self.max_tokens),
            "max_tokens",
            "The answer's length is 1 to 32,768 tokens.",
        );
        if let Some(avatar) = &self.avatar_url {
            check(
                is_small_picture(avatar),
                "avatar_url",
                "The picture must be a PNG, JPEG, GIF or WebP of at most 100 KiB.",
            );
        }
        found
    }
}

/// Whether `url` is a `data:` URL of at most 100 KiB whose bytes are the raster format that it claims. Anything else
/// could make the page load from elsewhere or carry scripts.
fn is_small_picture(url: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let Some((format, data)) = url
        .strip_prefix("data:image/")
        .and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    if data.len() > AVATAR_MAX_BYTES * 4 / 3 + 4 {
        return false;
    }
    let Ok(bytes) = STANDARD.decode(data) else { return false };
    let genuine = match format {
        "png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "gif" => bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
        "webp" => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        _ => false,
    };
    genuine && bytes.len() <= AVATAR_MAX_BYTES
}

/// Which assistants a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that occur in the name or the description, in any case.
    pub search: Option<String>,
    /// Archived ones too.
    pub include_deleted: bool,
}

/// What became of a change to one assistant.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// It happened.
    Done(Box<Assistant>),
    /// There is no such assistant.
    Missing,
    /// Its state forbids it: archived ones cannot change, live ones cannot be restored.
    WrongState,
    /// Somebody else changed it since `expected`; carries the present version.
    Stale(i64),
}

/// Remembers assistants.
#[async_trait]
pub trait AssistantStore: Send + Sync {
    /// Makes an assistant.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there are [`MAX_ASSISTANTS`] already.
    async fn create_assistant(&self, id: AssistantId, draft: Draft, deed: Deed) -> Result<Assistant, StoreError>;

    /// The assistant, archived or not.
    async fn find_assistant(&self, id: AssistantId) -> Result<Option<Assistant>, StoreError>;

    /// Newest first.
    async fn list_assistants(&self, filter: &Filter, page: PageRequest) -> Result<Page<Assistant>, StoreError>;

    /// Replaces the draft of a live assistant, if its version is `expected` or nothing is expected.
    async fn update_assistant(
        &self,
        id: AssistantId,
        draft: Draft,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError>;

    /// Archives it; files and conversations stay. An archived one is [`Changed::Missing`].
    async fn archive_assistant(
        &self,
        id: AssistantId,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError>;

    /// Brings an archived one back. A live one is [`Changed::WrongState`].
    async fn restore_assistant(&self, id: AssistantId, deed: Deed) -> Result<Changed, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            name: "Press Writer".into(),
            description: None,
            instructions: String::new(),
            model: None,
            temperature: DEFAULT_TEMPERATURE,
            max_tokens: DEFAULT_MAX_TOKENS,
            avatar_url: None,
        }
    }

    fn check(change: impl FnOnce(&mut Draft), expected: &[&str]) {
        let mut changed = draft();
        change(&mut changed);
        let fields: Vec<_> = changed.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn every_limit_is_named() {
        check(|_| {}, &[]);
        check(|d| d.name = "ab".into(), &["name"]);
        check(|d| d.name = "é".repeat(50), &[]);
        check(|d| d.name = "é".repeat(51), &["name"]);
        check(|d| d.name = "two\nlines".into(), &["name"]);
        check(|d| d.description = Some("x".repeat(501)), &["description"]);
        check(|d| d.instructions = "x".repeat(20_001), &["instructions"]);
        check(|d| d.temperature = 2.1, &["temperature"]);
        check(|d| d.temperature = f64::NAN, &["temperature"]);
        check(|d| d.max_tokens = 0, &["max_tokens"]);
    }

    #[test]
    fn a_picture_is_what_it_says_it_is() {
        check(
            |d| d.avatar_url = Some("data:image/png;base64,iVBORw0KGgo=".into()),
            &[],
        );
        for bad in [
            "https://example.com/a.png",
            "//example.com/a.png",
            "javascript:alert(1)",
            "data:image/svg+xml;base64,PHN2Zz4=",
            "data:image/png;base64,PHN2Zz4=",
            "data:image/jpeg;base64,iVBORw0KGgo=",
            "data:image/png,iVBORw0KGgo=",
        ] {
            check(|d| d.avatar_url = Some(bad.into()), &["avatar_url"]);
        }
        check(
            |d| d.avatar_url = Some(format!("data:image/png;base64,{}", "A".repeat(200_000))),
            &["avatar_url"],
        );
    }
}
