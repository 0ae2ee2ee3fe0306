//! What an administrator can set while the platform runs: typed, checked, all or nothing, the same on every instance soon.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    audit::Deed,
    fault::{Problem, StoreError},
};

/// Settings of one change at most.
pub const MAX_CHANGES: usize = 50;
/// Characters of one value at most.
pub const MAX_VALUE: usize = 20_000;
/// The specification's prompt template, word for word.
pub const PROMPT_TEMPLATE: &str = "You are {assistant_name}.

{assistant_instructions}

Use the following reference materials to inform your response. Only use
information from these materials when relevant:

---
{retrieved_chunks}
---

If the reference materials don't contain relevant information, rely on
your general knowledge but indicate this to the user.
";
/// What a prompt template must hold.
const PLACEHOLDERS: [&str; 2] = ["{assistant_instructions}", "{retrieved_chunks}"];

/// What becomes of a question when the files cannot be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRetrievalFailure {
    /// It is answered without them, and the answer says so.
    Degrade,
    /// It is refused, and nothing is stored.
    Fail,
}

/// Everything that can be set, with its present value. The field names are the keys of the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the platform calls itself, 1–50 characters.
    pub app_name: String,
    /// The model of assistants and chats that name none; `None`: the first that is offered.
    pub default_model: Option<String>,
    /// Size of an uploaded file in MB (2^20 bytes) at most, 1–200.
    pub max_upload_mb: u32,
    /// Kinds of files that may be uploaded.
    pub allowed_file_types: Vec<String>,
    /// Characters of a message at most, 1 000–200 000.
    pub message_max_chars: u32,
    /// Whether a conversation without a title gets one.
    pub auto_title: bool,
    /// Whether people in the role user see assistants' instructions.
    pub expose_instructions: bool,
    /// Passages of an answer at most, 1–20.
    pub rag_top_k: u32,
    /// The model that gives conversations their titles, cheap and quick; `None`: a title is the beginning of the first
    /// question, and no model is called for it.
    pub title_model: Option<String>,
    /// Relevance below which a passage is not used, 0–1.
    pub rag_similarity_threshold: f64,
    /// Tokens of a chunk at most, 64–2048; for files processed from now on.
    pub chunk_size: u32,
    /// Tokens that neighbouring chunks share, up to half a chunk.
    pub chunk_overlap: u32,
    /// What files are embedded with: `auto`, `local`, or a model's id. It decides once, when the first file is indexed.
    pub embedding_model: String,
    /// The frame of what a model is shown.
    pub prompt_template: String,
    /// Temperature of a new assistant unless said otherwise, 0–2.
    pub default_temperature: f64,
    /// Tokens of an answer of a new assistant unless said otherwise, 1–32 768.
    pub default_max_tokens: u32,
    /// The only models that may be used; empty: all.
    pub allowed_models: Vec<String>,
    /// What becomes of a question when the files cannot be searched.
    pub rag_on_failure: OnRetrievalFailure,
    /// Days after their last message that conversations are kept; 0: for ever. 0–3650.
    pub conversation_retention_days: u32,
    /// Days that entries of the audit log are kept, 30–3650.
    pub audit_retention_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            app_name: "AI-Across".into(),
            default_model: None,
            max_upload_mb: 25,
            allowed_file_types: FILE_TYPES.map(str::to_owned).into(),
            message_max_chars: 100_000,
            auto_title: true,
            expose_instructions: true,
            rag_top_k: 5,
            title_model: None,
            rag_similarity_threshold: 0.7,
            chunk_size: 512,
            chunk_overlap: 50,
            embedding_model: "auto".into(),
            prompt_template: PROMPT_TEMPLATE.into(),
            default_temperature: 0.7,
            default_max_tokens: 2_048,
            allowed_models: Vec::new(),
            rag_on_failure: OnRetrievalFailure::Degrade,
            conversation_retention_days: 0,
            audit_retention_days: 365,
        }
    }
}

/// The kinds of files that can be read.
const FILE_TYPES: [&str; 9] = ["pdf", "docx", "txt", "md", "pptx", "xlsx", "csv", "html", "epub"];

/// The keys that everybody may read; the others are the administrators'.
pub const PUBLIC: [&str; 7] = [
    "app_name",
    "default_model",
    "max_upload_mb",
    "allowed_file_types",
    "message_max_chars",
    "auto_title",
    "expose_instructions",
];

/// A change of settings: `None` goes back to the default.
pub type Changes = BTreeMap<String, Option<Value>>;

impl Settings {
    /// Every key with its value, in the order of the fields.
    #[must_use]
    pub fn values(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        }
    }

    /// The settings that stored values make; a value that this version does not understand counts as not set.
    #[must_use]
    pub fn from_stored(values: &BTreeMap<String, Value>) -> Self {
        let mut settings = Self::default();
        for (key, value) in values {
            match settings.with_one(key, Some(value)) {
                Ok(next) => settings = next,
                Err(problem) => {
                    tracing::warn!(
                        key,
                        problem = problem.message,
                        "a stored setting is not understood and not used"
                    );
                }
            }
        }
        settings
    }

    /// These settings with the changes, each value as it is to be stored.
    ///
    /// # Errors
    /// Everything that is wrong with them; then nothing is to be changed.
    pub fn with(&self, changes: &Changes) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut settings = self.clone();
        for (key, value) in changes {
            match settings.with_one(key, value.as_ref()) {
                Ok(next) => settings = next,
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(settings.problems());
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    fn with_one(&self, key: &str, value: Option<&Value>) -> Result<Self, Problem> {
        let mut values = self.values();
        let Some(name) = name_of(key) else {
            let shown: String = key.chars().take(100).collect();
            return Err(problem("settings", &format!("There is no setting {shown:?}.")));
        };
        let value = match value {
            Some(value) => value.clone(),
            None => Self::default().values().remove(key).unwrap_or_default(),
        };
        if value.as_str().is_some_and(|text| text.chars().count() > MAX_VALUE) {
            return Err(problem(name, "A value has at most 20,000 characters."));
        }
        values.insert(key.to_owned(), value);
        serde_json::from_value(Value::Object(values))
            .map_err(|_| problem(name, "This value is not of the kind that the setting takes."))
    }

    /// Everything that is wrong with the values as they are.
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |ok: bool, field, message| {
            if !ok {
                found.push(problem(field, message));
            }
        };
        let one_line =
            |text: &str, most| (1..=most).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
        check(
            one_line(&self.app_name, 50),
            "app_name",
            "The name has 1 to 50 characters on one line.",
        );
        check(
            self.default_model.as_deref().is_none_or(|model| one_line(model, 200)),
            "default_model",
            "This is not a model's id.",
        );
        check(
            self.title_model.as_deref().is_none_or(|model| one_line(model, 200)),
            "title_model",
            "This is not a model's id.",
        );
        check(
            (1..=200).contains(&self.max_upload_mb),
            "max_upload_mb",
            "This is a whole number from 1 to 200.",
        );
        check(
            !self.allowed_file_types.is_empty()
                && self
                    .allowed_file_types
                    .iter()
                    .all(|kind| FILE_TYPES.contains(&kind.as_str())),
            "allowed_file_types",
            "At least one of pdf, docx, txt, md, pptx, xlsx, csv, html and epub, and no others.",
        );
        check(
            (1_000..=200_000).contains(&self.message_max_chars),
            "message_max_chars",
            "This is a whole number from 1,000 to 200,000.",
        );
        check(
            (1..=20).contains(&self.rag_top_k),
            "rag_top_k",
            "This is a whole number from 1 to 20.",
        );
        check(
            (0.0..=1.0).contains(&self.rag_similarity_threshold),
            "rag_similarity_threshold",
            "This is a number from 0 to 1.",
        );
        check(
            (64..=2_048).contains(&self.chunk_size),
            "chunk_size",
            "This is a whole number from 64 to 2048.",
        );
        check(
            self.chunk_overlap <= self.chunk_size / 2,
            "chunk_overlap",
            "The overlap is at most half of the chunk size.",
        );
        check(
            one_line(&self.embedding_model, 200),
            "embedding_model",
            "This is `auto`, `local` or a model's id.",
        );
        check(
            PLACEHOLDERS
                .iter()
                .all(|placeholder| self.prompt_template.contains(placeholder)),
            "prompt_template",
            "The template must contain {assistant_instructions} and {retrieved_chunks}.",
        );
        check(
            (0.0..=2.0).contains(&self.default_temperature),
            "default_temperature",
            "This is a number from 0 to 2.",
        );
        check(
            (1..=32_768).contains(&self.default_max_tokens),
            "default_max_tokens",
            "This is a whole number from 1 to 32,768.",
        );
        check(
            self.allowed_models.len() <= 500 && self.allowed_models.iter().all(|model| one_line(model, 200)),
            "allowed_models",
            "This is a list of at most 500 models' ids.",
        );
        check(
            self.conversation_retention_days <= 3_650,
            "conversation_retention_days",
            "This is a whole number from 0 to 3650; 0 keeps them for ever.",
        );
        check(
            (30..=3_650).contains(&self.audit_retention_days),
            "audit_retention_days",
            "This is a whole number from 30 to 3650.",
        );
        found
    }

    /// Bytes of an uploaded file at most.
    #[must_use]
    pub const fn max_upload_bytes(&self) -> u64 {
        self.max_upload_mb as u64 * 1024 * 1024
    }

    /// Whether this model may be used.
    #[must_use]
    pub fn allows_model(&self, id: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.iter().any(|allowed| allowed == id)
    }
}

/// The key as a constant, if it is one.
fn name_of(key: &str) -> Option<&'static str> {
    const KEYS: [&str; 20] = [
        "app_name",
        "default_model",
        "max_upload_mb",
        "allowed_file_types",
        "message_max_chars",
        "auto_title",
        "expose_instructions",
        "rag_top_k",
        "title_model",
        "rag_similarity_threshold",
        "chunk_size",
        "chunk_overlap",
        "embedding_model",
        "prompt_template",
        "default_temperature",
        "default_max_tokens",
        "allowed_models",
        "rag_on_failure",
        "conversation_retention_days",
        "audit_retention_days",
    ];
    KEYS.into_iter().find(|name| *name == key)
}

fn problem(field: &'static str, message: &str) -> Problem {
    Problem {
        field,
        message: message.to_owned(),
    }
}

/// What is stored of the settings: the values that differ from the defaults, and a number that grows with every change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// By key.
    pub values: BTreeMap<String, Value>,
    /// Grows with every change; the HTTP layer's `ETag`.
    pub revision: i64,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// It happened.
    Done(Stored),
    /// Somebody else changed them since `expected`; carries the present revision.
    Stale(i64),
}

/// Remembers settings.
#[async_trait]
pub trait SettingsStore: Send + Sync {
    /// All that is stored.
    async fn settings(&self) -> Result<Stored, StoreError>;

    /// The number that grows with every change, cheaply.
    async fn settings_revision(&self) -> Result<i64, StoreError>;

    /// Changes all of them or none, if the revision is `expected` or nothing is expected.
    async fn change_settings(&self, changes: Changes, expected: Option<i64>, deed: Deed)
    -> Result<Changed, StoreError>;
}

/// The settings as this process knows them; readers get one consistent set.
#[derive(Default)]
pub struct LiveSettings(RwLock<Arc<Current>>);

/// A set of settings and its revision.
#[derive(Debug, Default)]
struct Current {
    settings: Arc<Settings>,
    revision: i64,
}

impl LiveSettings {
    /// The settings now.
    #[must_use]
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.current().settings)
    }

    /// Their revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.current().revision
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what is stored.
    pub fn set(&self, stored: &Stored) {
        let next = Arc::new(Current {
            settings: Arc::new(Settings::from_stored(&stored.values)),
            revision: stored.revision,
        });
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Two readers of the store may come here in the wrong order.
        if next.revision >= current.revision {
            *current = next;
        }
    }

    /// Looks whether another process changed them.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer; the settings stay as they were.
    pub async fn refresh(&self, store: &(impl SettingsStore + ?Sized)) -> Result<(), StoreError> {
        if store.settings_revision().await? != self.revision() {
            self.set(&store.settings().await?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes(value: &Value) -> Changes {
        let object = value.as_object().cloned().unwrap_or_default();
        object
            .into_iter()
            .map(|(key, value)| (key, (!value.is_null()).then_some(value)))
            .collect()
    }

    fn check(value: &Value, wrong: &[&str]) {
        let problems = Settings::default().with(&changes(value)).err().unwrap_or_default();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, wrong, "{value}");
    }

    #[test]
    fn every_value_has_its_kind_and_its_range() {
        check(&json!({"rag_top_k": 20, "app_name": "Desk"}), &[]);
        check(&json!({"rag_top_k": 21}), &["rag_top_k"]);
        check(&json!({"rag_top_k": 1.5}), &["rag_top_k"]);
        check(&json!({"rag_top_k": "5"}), &["rag_top_k"]);
        check(&json!({"no_such": 1}), &["settings"]);
        check(&json!({"chunk_size": 64, "chunk_overlap": 33}), &["chunk_overlap"]);
        check(
            &json!({"prompt_template": "{assistant_instructions}"}),
            &["prompt_template"],
        );
        check(&json!({"allowed_file_types": []}), &["allowed_file_types"]);
        check(&json!({"allowed_file_types": ["exe"]}), &["allowed_file_types"]);
        check(&json!({"rag_on_failure": "explode"}), &["rag_on_failure"]);
        check(&json!({"audit_retention_days": 29}), &["audit_retention_days"]);
        check(&json!({"app_name": "two\nlines"}), &["app_name"]);
        check(&json!({"prompt_template": "x".repeat(20_001)}), &["prompt_template"]);
    }

    #[test]
    fn every_key_is_known_and_null_goes_back_to_the_default() {
        let all: Vec<String> = Settings::default().values().keys().cloned().collect();
        assert!(all.iter().all(|key| name_of(key).is_some()) && all.len() == 20);
        assert!(PUBLIC.iter().all(|key| all.iter().any(|known| known == key)));
        let set = Settings::default().with(&changes(&json!({"rag_top_k": 9}))).unwrap();
        assert_eq!(set.rag_top_k, 9);
        assert_eq!(
            set.with(&changes(&json!({"rag_top_k": null}))).unwrap(),
            Settings::default()
        );
    }

    #[test]
    fn what_a_later_version_stored_is_passed_over() {
        let stored = BTreeMap::from([
            ("rag_top_k".to_owned(), json!(7)),
            ("from_the_future".to_owned(), json!(1)),
        ]);
        assert_eq!(Settings::from_stored(&stored).rag_top_k, 7);
    }
}
