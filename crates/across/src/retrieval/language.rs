//! What language a question is in, and which of its words are worth searching for.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use whatlang::Lang;

use super::words::{self, Word};

/// Words searched for at most; a pasted page is not a better question than its first words.
const MAX_TERMS: usize = 32;
/// Languages told apart: those with stop words here. Fewer candidates make short questions easier to place.
const KNOWN: [(Lang, &str); 14] = [
    (Lang::Eng, "en"),
    (Lang::Deu, "de"),
    (Lang::Fra, "fr"),
    (Lang::Spa, "es"),
    (Lang::Ita, "it"),
    (Lang::Por, "pt"),
    (Lang::Nld, "nl"),
    (Lang::Rus, "ru"),
    (Lang::Heb, "he"),
    (Lang::Ara, "ar"),
    (Lang::Tur, "tr"),
    (Lang::Swe, "sv"),
    (Lang::Dan, "da"),
    (Lang::Fin, "fi"),
];

/// The stop words of the languages told apart, as [`words::split`] would write them.
static STOP_WORDS: LazyLock<HashMap<&'static str, HashSet<String>>> = LazyLock::new(|| {
    let listed = |code| stop_words::lookup(code).unwrap_or_default();
    let plain = |code| listed(code).iter().flat_map(|word| words::split(word)).collect();
    KNOWN.iter().map(|(_, code)| (*code, plain(*code))).collect()
});

/// A question, taken apart for keyword search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Its words without stop words, each once; all of its words if they are all stop words.
    pub terms: Vec<Word>,
    /// The code of its language as far as can be told; `en`, the language of the built-in embedder, in doubt.
    pub language: &'static str,
}

impl Words {
    /// Takes `question` apart.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let language = language_of(question, &words::split(question));
        let mut all: Vec<Word> = Vec::new();
        for word in words::asked(question, language) {
            if !all.iter().any(|known| known.plain == word.plain) {
                all.push(word);
            }
        }
        let stop = |word: &Word| is_stop_word(&word.plain, language);
        let mut terms: Vec<Word> = all.iter().filter(|word| !stop(word)).cloned().collect();
        if terms.is_empty() {
            terms = all;
        }
        terms.truncate(MAX_TERMS);
        Self { terms, language }
    }

    /// Whether it is, as far as can be told, English.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.language == "en"
    }
}

/// "What's" arrives here as "what" and "s", so single Latin letters are stop words too.
fn is_stop_word(word: &str, language: &str) -> bool {
    STOP_WORDS.get(language).is_some_and(|stop| stop.contains(word))
        || (word.len() == 1 && word.chars().all(|c| c.is_ascii_alphabetic()))
}

/// The code of the question's language. Among languages of one script a question of a few words is told by its stop words
/// first, which beats letter statistics on such short texts; English unless another language has more of them.
fn language_of(question: &str, words: &[String]) -> &'static str {
    let hits = |code: &str| {
        let stop = STOP_WORDS.get(code);
        words
            .iter()
            .filter(|word| word.len() > 1 && stop.is_some_and(|stop| stop.contains(*word)))
            .count()
    };
    let english = hits("en");
    let (best, code) = KNOWN
        .iter()
        .map(|(_, code)| (hits(code), *code))
        .max_by_key(|(hits, _)| *hits)
        .unwrap_or_default();
    if best > english {
        return code;
    }
    if english > 0 || question.chars().filter(|c| c.is_alphabetic()).all(|c| c.is_ascii()) {
        return "en";
    }
    let detector = whatlang::Detector::with_allowlist(KNOWN.iter().map(|(lang, _)| *lang).collect());
    let lang = detector.detect_lang(question);
    KNOWN
        .iter()
        .find(|(known, _)| Some(*known) == lang)
        .map_or("en", |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, is_english: bool, terms: &[&str]) {
        let words = Words::of(question);
        assert_eq!(
            (
                words.is_english(),
                words.terms.iter().map(|term| term.plain.as_str()).collect::<Vec<_>>()
            ),
            (is_english, terms.to_vec())
        );
    }

    #[test]
    fn stop_words_go_and_languages_are_told_apart() {
        check(
            "When does Chainlab's mainnet open?",
            true,
            &["chainlab", "mainnet", "open"],
        );
        check("Chainlab mainnet", true, &["chainlab", "mainnet"]);
        check(
            "Wann wurde das Gesetz verabschiedet?",
            false,
            &["wann", "gesetz", "verabschiedet"],
        );
        check("Кто открыл кислород?", false, &["открыл", "кислород"]);
        check("متى اكتشف الأكسجين؟", false, &["اكتشف", "الاكسجين"]);
    }

    #[test]
    fn a_question_of_stop_words_keeps_them() {
        check("who are you", true, &["who", "are", "you"]);
        check("?!", true, &[]);
    }
}
