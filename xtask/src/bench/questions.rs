//! The sets of questions with known answers, read from a folder beside the repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{console, paths};

/// So many passages of the FAQ set stand in one document.
const PASSAGES_PER_DOCUMENT: usize = 50;
/// So many first words tell a passage of the FAQ set.
const TELLING_WORDS: usize = 8;

/// Documents in one language, and questions about them.
pub struct Set {
    /// The collection: `own`, `xquad` or `faq`.
    pub name: &'static str,
    /// The language of documents and questions.
    pub language: &'static str,
    /// File names and texts.
    pub documents: Vec<(String, String)>,
    /// What is asked.
    pub questions: Vec<Question>,
}

/// A question and how its answer is recognised.
#[derive(Clone)]
pub struct Question {
    /// Its words.
    pub text: String,
    /// The document that answers it; any, if none is named.
    pub file: Option<String>,
    /// A passage that holds one of these, white space aside, answers it.
    pub marks: Vec<String>,
    /// What makes it hard, in sets that say so.
    pub kind: Option<String>,
}

impl Question {
    /// Whether this passage, as the server tells it, answers the question.
    pub fn is_answered_by(&self, passage: &Value) -> bool {
        self.is_answered_in(passage, passage["text"].as_str().unwrap_or_default())
    }

    /// Whether the chunk of it that was found answers the question, without the neighbours that were joined to it.
    pub fn is_answered_by_hit(&self, passage: &Value) -> bool {
        let number = |key: &str| passage[key].as_u64().unwrap_or_default() as usize;
        let text = passage["text"].as_str().unwrap_or_default().chars();
        let before = number("hit_start").saturating_sub(number("start"));
        let length = number("hit_end").saturating_sub(number("hit_start"));
        self.is_answered_in(passage, &text.skip(before).take(length).collect::<String>())
    }

    fn is_answered_in(&self, passage: &Value, text: &str) -> bool {
        let from = passage["filename"].as_str().unwrap_or_default();
        let text = squeeze(text);
        self.file.as_deref().is_none_or(|file| file == from) && self.marks.iter().any(|mark| text.contains(mark))
    }
}

/// The folder with the questions, or none and a word that the benchmark is skipped.
pub fn folder(named: Option<&Path>) -> Option<PathBuf> {
    let beside = || paths::root().parent().map(|parent| parent.join("shared/eval"));
    let folder = named
        .map(Path::to_path_buf)
        .or_else(beside)
        .filter(|folder| folder.is_dir());
    if folder.is_none() {
        let looked = named.map_or("../shared/eval".to_owned(), |named| named.display().to_string());
        console::complain(&format!(
            "SKIPPED: the retrieval benchmark needs its questions and {looked} is no folder; set AI_ACROSS_EVAL_DIR to it"
        ));
    }
    folder
}

/// The set that is part of the repository: Hebrew.
///
/// # Errors
/// When a file is missing or has another shape.
pub fn own() -> Result<Vec<Set>> {
    Ok(vec![passages_of_files(
        "own",
        &paths::root().join("xtask/eval/he"),
        "he",
    )?])
}

/// Reads every set of a folder.
///
/// # Errors
/// When a file is missing or has another shape.
pub fn read(folder: &Path) -> Result<Vec<Set>> {
    let mut sets = vec![faq(&folder.join("faq"))?];
    for language in ["en", "de", "ru", "ar"] {
        sets.push(passages_of_files(
            "xquad",
            &folder.join("xquad").join(language),
            language,
        )?);
    }
    Ok(sets)
}

fn passages_of_files(name: &'static str, folder: &Path, language: &'static str) -> Result<Set> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut documents = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            documents.push((name, text(&path)?));
        }
    }
    documents.sort();
    let questions = lines(&folder.join("questions.jsonl"))?.into_iter().map(|line| {
        let answers = line["answers"].as_array().context("a question has no answers")?;
        Ok(Question {
            text: string(&line, "question")?,
            file: Some(string(&line, "file")?),
            marks: answers.iter().filter_map(Value::as_str).map(squeeze).collect(),
            kind: line["kind"].as_str().map(str::to_owned),
        })
    });
    Ok(Set {
        name,
        language,
        documents,
        questions: questions.collect::<Result<_>>()?,
    })
}

fn faq(folder: &Path) -> Result<Set> {
    let passages: Vec<(Value, String)> = lines(&folder.join("passages.jsonl"))?
        .iter()
        .map(|line| Ok((line["id"].clone(), string(line, "text")?)))
        .collect::<Result<_>>()?;
    let documents = passages
        .chunks(PASSAGES_PER_DOCUMENT)
        .enumerate()
        .map(|(number, chunk)| {
            let texts: Vec<&str> = chunk.iter().map(|(_, text)| text.trim()).collect();
            (format!("faq-{:02}.txt", number + 1), texts.join("\n\n"))
        });
    let documents = documents.collect();
    let questions = lines(&folder.join("questions.jsonl"))?.into_iter().map(|line| {
        let relevant = line["relevant"]
            .as_array()
            .context("a question has no relevant passages")?;
        let answering = passages.iter().filter(|(id, _)| relevant.contains(id));
        let first_words = |text: &String| {
            text.split_whitespace()
                .take(TELLING_WORDS)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let marks = answering.map(|(_, text)| first_words(text)).collect();
        Ok(Question {
            text: string(&line, "question")?,
            file: None,
            marks,
            kind: None,
        })
    });
    let questions = questions.collect::<Result<_>>()?;
    Ok(Set {
        name: "faq",
        language: "en",
        documents,
        questions,
    })
}

/// Text with every run of white space as one space: a passage may break its lines elsewhere than its document.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let parsed = text(path)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>();
    parsed.with_context(|| format!("{} is not JSON lines", path.display()))
}

fn string(line: &Value, key: &str) -> Result<String> {
    Ok(line[key]
        .as_str()
        .with_context(|| format!("a line has no `{key}`"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Question, own, read, squeeze};

    #[test]
    fn a_passage_answers_by_file_and_words() {
        let question = Question {
            text: String::new(),
            file: Some("a.txt".into()),
            marks: vec!["five points".into()],
            kind: None,
        };
        assert!(question.is_answered_by(&json!({"filename": "a.txt", "text": "They won by five\npoints."})));
        assert!(!question.is_answered_by(&json!({"filename": "b.txt", "text": "five points"})));
        assert!(!question.is_answered_by(&json!({"filename": "a.txt", "text": "five goals"})));
        let anywhere = Question { file: None, ..question };
        assert!(anywhere.is_answered_by(&json!({"filename": "b.txt", "text": "five points"})));
    }

    #[test]
    fn the_hebrew_set_is_whole() {
        let sets = own().unwrap();
        let set = &sets[0];
        assert!(set.documents.len() >= 15 && set.questions.len() >= 60);
        for question in &set.questions {
            let file = set
                .documents
                .iter()
                .find(|(name, _)| Some(name) == question.file.as_ref());
            let text = squeeze(&file.unwrap().1);
            assert!(
                question.marks.iter().all(|mark| text.contains(mark)),
                "{}",
                question.text
            );
        }
        for kind in [
            "plain",
            "prefix",
            "niqqud in question",
            "niqqud in text",
            "final letters",
            "gershayim",
        ] {
            let some = |question: &&super::Question| question.kind.as_deref() == Some(kind);
            assert!(set.questions.iter().filter(some).count() >= 5, "{kind}");
        }
    }

    #[test]
    fn sets_are_read_as_their_descriptions_say() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let passages: Vec<String> = (0..51)
            .map(|id| format!("{{\"id\":{id},\"text\":\"p{id} 2 3 4 5 6 7 8 9\"}}"))
            .collect();
        put("faq/passages.jsonl", &passages.join("\n"));
        put("faq/questions.jsonl", "{\"question\":\"Which?\",\"relevant\":[50]}");
        for language in ["en", "de", "ru", "ar"] {
            put(&format!("xquad/{language}/a.txt"), "Title\n\nText.");
            let question = "{\"file\":\"a.txt\",\"question\":\"What?\",\"answers\":[\"Text\"]}";
            put(&format!("xquad/{language}/questions.jsonl"), question);
        }
        let sets = read(folder.path()).unwrap();
        let names: Vec<_> = sets.iter().map(|set| (set.name, set.language)).collect();
        assert_eq!(
            names,
            [
                ("faq", "en"),
                ("xquad", "en"),
                ("xquad", "de"),
                ("xquad", "ru"),
                ("xquad", "ar")
            ]
        );
        assert_eq!(sets[0].documents.len(), 2);
        assert_eq!(
            sets[0].documents[1],
            ("faq-02.txt".to_owned(), "p50 2 3 4 5 6 7 8 9".to_owned())
        );
        assert_eq!(sets[0].questions[0].marks, ["p50 2 3 4 5 6 7 8"]);
        assert_eq!(sets[1].questions[0].file.as_deref(), Some("a.txt"));
    }
}
