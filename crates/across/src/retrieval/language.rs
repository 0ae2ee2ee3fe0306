//! What language a question is in, and which of its words are worth searching for.

use whatlang::Lang;

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

/// A question, taken apart for keyword search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Its words in lower case without stop words, each once; all of its words if they are all stop words.
    pub terms: Vec<String>,
    /// Whether it is, as far as can be told, English: the language of the built-in embedder.
    pub is_english: bool,
}

impl Words {
    /// Takes `question` apart.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let words = split(question);
        let language = language_of(question, &words);
        let stop = stop_words::lookup(language).unwrap_or_default();
        let mut all = Vec::new();
        let mut terms = Vec::new();
        for word in words {
            if !all.contains(&word) {
                if !is_stop_word(&word, stop) {
                    terms.push(word.clone());
                }
                all.push(word);
            }
        }
        let mut terms = if terms.is_empty() { all } else { terms };
        terms.truncate(MAX_TERMS);
        Self {
            terms,
            is_english: language == "en",
        }
    }
}

/// The words of a text in lower case: runs of letters and digits in any script.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// "What's" arrives here as "what" and "s", so single Latin letters are stop words too.
fn is_stop_word(word: &str, stop: &[&str]) -> bool {
    stop.contains(&word) || (word.len() == 1 && word.is_ascii() && word.chars().all(char::is_alphabetic))
}

/// The code of the question's language. Among languages of one script a question of a few words is told by its stop words
/// first, which beats letter statistics on such short texts; English unless another language has more of them.
fn language_of(question: &str, words: &[String]) -> &'static str {
    let hits = |code: &str| {
        let stop = stop_words::lookup(code).unwrap_or_default();
        words
            .iter()
            .filter(|word| word.len() > 1 && stop.contains(&word.as_str()))
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
                words.is_english,
                words.terms.iter().map(String::as_str).collect::<Vec<_>>()
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
            &["wann", "wurde", "gesetz", "verabschiedet"],
        );
        check("Кто открыл кислород?", false, &["открыл", "кислород"]);
        check("متى اكتشف الأكسجين؟", false, &["اكتشف", "الأكسجين"]);
    }

    #[test]
    fn a_question_of_stop_words_keeps_them() {
        check("who are you", true, &["who", "are", "you"]);
        check("?!", true, &[]);
    }
}
