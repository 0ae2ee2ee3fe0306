//! What a word is found by: the one analyser of texts and questions, pure and the same for every database.
//!
//! A word becomes one or more *forms*: without case and marks, without the endings or prefixes of its language. A text is
//! indexed by the forms of its words, a question asks for any form of each of its words. What a word is taken for depends
//! on its letters alone, because a chunk may hold several languages and a question is often too short to tell its own.

mod arabic;
mod hebrew;

use std::collections::{HashMap, HashSet};

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;

/// Changes whenever the same text gets other forms, so that stored forms are made anew.
pub const VERSION: u32 = 1;

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word in lower case, without marks, its digits in ASCII.
    pub plain: String,
    /// What it is found by, each once.
    pub forms: Vec<String>,
}

/// The forms of all words of a text in their order, separated by spaces: letters and digits only.
#[must_use]
pub fn indexed(text: &str) -> String {
    Indexer::default().indexed(text)
}

/// Makes the forms of several texts, those of each word once: most words of a document stand in it many times.
#[derive(Default)]
pub struct Indexer {
    /// The forms of each word, separated by spaces.
    known: HashMap<String, String>,
}

impl Indexer {
    /// As [`indexed`].
    #[must_use]
    pub fn indexed(&mut self, text: &str) -> String {
        let mut forms = String::with_capacity(text.len());
        each(text, |raw| {
            let own = match self.known.get(raw) {
                Some(own) => own,
                None => {
                    let own = Forms::indexed(raw).0.join(" ");
                    self.known.entry(raw.to_owned()).or_insert(own)
                }
            };
            if !forms.is_empty() && !own.is_empty() {
                forms.push(' ');
            }
            forms.push_str(own);
        });
        forms
    }
}

/// The words of a question in `language` (a code as in ISO 639-1) with the forms to ask for.
#[must_use]
pub fn asked(question: &str, language: &str) -> Vec<Word> {
    let mut words = Vec::new();
    each(question, |raw| {
        let plain = plain(raw);
        let forms = Forms::asked(raw, language).0;
        words.push(Word { plain, forms });
    });
    words
}

/// The words of a text in lower case and without marks.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each(text, |raw| words.push(plain(raw)));
    words
}

/// The forms of a text's words, to look others up in.
#[must_use]
pub fn forms(text: &str) -> HashSet<String> {
    let mut forms = HashSet::new();
    each(text, |raw| forms.extend(Forms::indexed(raw).0));
    forms
}

/// Forms in their order, each once.
#[derive(Default)]
struct Forms(Vec<String>);

impl Forms {
    fn indexed(raw: &str) -> Self {
        let mut forms = Self::of(raw);
        let plain = plain(raw);
        if is_latin(&plain) {
            forms.add(stemmed(Algorithm::German, &plain));
            forms.add(stemmed(Algorithm::English, &plain));
        }
        forms
    }

    fn asked(raw: &str, language: &str) -> Self {
        let mut forms = Self::of(raw);
        let plain = plain(raw);
        if is_latin(&plain) {
            let own = if language == "de" {
                Algorithm::German
            } else {
                Algorithm::English
            };
            forms.add(stemmed(own, &plain));
        }
        forms
    }

    /// What texts and questions have in common.
    fn of(raw: &str) -> Self {
        let mut forms = Self::default();
        let plain = plain(raw);
        match plain.chars().find(|c| c.is_alphabetic()) {
            Some(letter) if hebrew::is_letter(letter) => {
                hebrew::forms(&plain, &mut |form| forms.add(form));
                if let Some(full) = hebrew::full_spelling(raw) {
                    hebrew::forms(&full, &mut |form| forms.add(form));
                }
            }
            Some(letter) if arabic::is_letter(letter) => forms.add(arabic::stem(&plain).to_owned()),
            Some('\u{400}'..='\u{4ff}') => forms.add(stemmed(Algorithm::Russian, &plain)),
            Some(_) if is_latin(&plain) => {
                if raw.contains(['ä', 'ö', 'ü']) {
                    let spelt = raw.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue");
                    forms.add(stemmed(Algorithm::German, &self::plain(&spelt)));
                }
            }
            _ => forms.add(plain),
        }
        forms
    }

    fn add(&mut self, form: String) {
        if !form.is_empty() && !self.0.contains(&form) {
            self.0.push(form);
        }
    }
}

fn is_latin(plain: &str) -> bool {
    let letter = plain.chars().find(|c| c.is_alphabetic());
    letter.is_some_and(|c| c.is_ascii() || matches!(c, '\u{c0}'..='\u{24f}'))
}

fn stemmed(language: Algorithm, plain: &str) -> String {
    // What holds digits is a name or a number and has no endings.
    if plain.chars().any(char::is_numeric) {
        return plain.to_owned();
    }
    Stemmer::create(language).stem(plain).into_owned()
}

/// Calls `found` with every word of the text in its composed form and lower case, with its marks.
fn each(text: &str, mut found: impl FnMut(&str)) {
    let composed;
    let text = if text.is_ascii() {
        text
    } else {
        composed = text.nfkc().collect::<String>();
        &composed
    };
    let lower = text.to_lowercase();
    let mut word = String::new();
    let mut characters = lower.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() || is_mark(character) {
            word.push(character);
        } else if is_quote(character)
            && ends_in_hebrew(&word)
            && characters.peek().copied().is_some_and(hebrew::is_letter)
        {
            // Gershayim and geresh stand inside of abbreviations and names, however they are typed.
        } else if !is_invisible(character) && !word.is_empty() {
            found(&word);
            word.clear();
        }
    }
    if !word.is_empty() {
        found(&word);
    }
}

fn ends_in_hebrew(word: &str) -> bool {
    word.chars().rev().find(|c| !is_mark(*c)).is_some_and(hebrew::is_letter)
}

fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '\u{5f3}' | '\u{5f4}' | '\u{2018}'..='\u{201f}')
}

/// Soft hyphens, joiners and signs of direction stand inside of words.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Marks that are dropped: accents of Latin, Greek and Cyrillic, Hebrew points and accents, Arabic vowel signs.
fn is_mark(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36f}'
            | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
            | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
            | '\u{6df}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}'
    )
}

/// A word of [`each`] without marks, with the letters that differ by place or habit alone made one.
fn plain(raw: &str) -> String {
    if raw.is_ascii() {
        return raw.to_owned();
    }
    let mut plain = String::with_capacity(raw.len());
    for character in raw.nfkd() {
        match character {
            // The breve makes another letter of и, and what belongs to no known script stays as it is.
            '\u{306}' if plain.ends_with('и') => plain.push(character),
            mark if is_mark(mark) => {}
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'ø' => plain.push('o'),
            'đ' => plain.push('d'),
            'ł' => plain.push('l'),
            'ı' => plain.push('i'),
            '\u{660}'..='\u{669}' => plain.push(digit(character, '\u{660}')),
            '\u{6f0}'..='\u{6f9}' => plain.push(digit(character, '\u{6f0}')),
            letter => plain.push(arabic::plain(hebrew::plain(letter))),
        }
    }
    plain.nfc().collect()
}

fn digit(character: char, zero: char) -> char {
    char::from_digit(u32::from(character) - u32::from(zero), 10).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a question's word, asked in `language`, finds a text.
    #[track_caller]
    fn check(language: &str, word: &str, text: &str, is_found: bool) {
        let held = forms(text);
        let words = asked(word, language);
        assert!(!words.is_empty(), "{word}");
        let found = words
            .iter()
            .all(|word| word.forms.iter().any(|form| held.contains(form)));
        assert_eq!(found, is_found, "{word} {:?} in {text} {held:?}", words);
    }

    #[test]
    fn english_german_and_russian_words_are_found_in_their_forms() {
        check("en", "running", "They run.", true);
        check("en", "policies", "Our policy", true);
        check("en", "invoice", "a voice", false);
        check("de", "Häuser", "ein Haus", true);
        check("de", "Strassen", "die Straße", true);
        check("de", "Muenchen", "in München", true);
        check("de", "München", "in Muenchen", true);
        check("de", "Munchen", "in München", true);
        check("ru", "ёлки", "Елка стояла", true);
        check("ru", "городами", "в городе", true);
        check("ru", "йод", "иод", false);
        check("en", "café", "CAFE", true);
        check("en", "B2B", "b2b sales", true);
    }

    #[test]
    fn arabic_words_lose_signs_article_and_endings() {
        check("ar", "مدرسة", "في المدرسة", true);
        check("ar", "والمدرسة", "مَدْرَسَة", true);
        check("ar", "إسلام", "الاسلام", true);
        check("ar", "مستشفى", "المستشفي", true);
        check("ar", "كـتـاب", "كتاب", true);
        check("ar", "معلمون", "معلمين", true);
        check("ar", "٢٠١٥", "2015", true);
        check("ar", "كتاب", "قلم", false);
    }

    #[test]
    fn hebrew_words_are_found_behind_prefixes_with_points_and_in_final_letters() {
        check("he", "בית", "כשבבית", true);
        check("he", "לכשהמנהל", "מנהלים", true);
        check("he", "ומהספרייה", "בספרייה", true);
        check("he", "שלום", "שָׁלוֹם", true);
        check("he", "שולחן", "שֻׁלְחָן", true);
        check("he", "דיבר", "דִּבֵּר", true);
        check("he", "צהל", "צה״ל", true);
        check("he", "צה\"ל", "לצה''ל", false);
        check("he", "עו״ד", "עו\"ד לוי", true);
        check("he", "מלך", "מלכים", true);
        check("he", "בן-גוריון", "בן־גוריון", true);
        check("he", "הארץ", "ב\"הארץ\" נכתב", true);
        check("he", "כלב", "חתול", false);
    }

    #[test]
    fn forms_are_plain_words_whatever_the_text() {
        let mut indexer = Indexer::default();
        for text in [
            "",
            "a\0b",
            "x'; DROP TABLE",
            "👍 ok",
            "日本語テキスト",
            "हिन्दी में",
            "ﬁne ½ ²",
            "\u{200f}שלום\u{200f}",
            "so\u{ad}ft",
        ] {
            let indexed = indexed(text);
            let is_plain = |c: char| c.is_alphanumeric() || c == ' ' || is_combining(c);
            assert!(indexed.chars().all(is_plain), "{text:?}: {indexed:?}");
            assert_eq!(indexed, indexed.trim());
            // Also where its words are known from a text before it.
            let again = format!("{text} ok {text}");
            assert_eq!(indexer.indexed(&again), self::indexed(&again));
        }
        assert_eq!(indexed("so\u{ad}ft"), "soft");
        assert_eq!(split("What's O’Brien?"), ["what", "s", "o", "brien"]);
    }

    fn is_combining(character: char) -> bool {
        unicode_normalization::char::is_combining_mark(character)
    }

    proptest::proptest! {
        /// A text is found by each of its own words.
        #[test]
        fn a_text_is_found_by_its_words(text in "[a-zäöüß אבגדהוזחטיכלמנסעפצקרשתםןץףךابتثجحخدذةىа-яё\"'־0-9]{0,40}") {
            let held = forms(&text);
            for language in ["en", "de", "ru", "he", "ar"] {
                for word in asked(&text, language) {
                    proptest::prop_assert!(word.forms.iter().any(|form| held.contains(form)), "{word:?} {held:?}");
                }
            }
        }
    }
}
