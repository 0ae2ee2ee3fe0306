//! Which sentences of the passages answer a question best: shared words weighed by rarity, near-duplicates left out.

use std::collections::HashSet;

use across::{
    providers::chat::Material,
    retrieval::{
        language::Words,
        words::{Word, forms, split},
    },
};

/// Sentences quoted at most.
const MAX_QUOTES: usize = 4;
/// A further quote must score at least this share of the best one.
const WORTH_QUOTING: f64 = 0.5;
/// How much of a neighbour's score a sentence gets: a heading or the sentence before often names the subject.
const FROM_NEIGHBOURS: f64 = 0.3;
/// How much each place further back in the ranking of passages costs.
const COST_OF_RANK: f64 = 0.05;
/// What a number is worth in the answer to a question that asks for one.
const NUMBER_ASKED: f64 = 0.15;
/// The factor for a fragment: a heading, or the piece of a sentence at which a passage was cut.
const FRAGMENT: f64 = 0.6;
/// Two sentences of which this share of words is the same say the same.
const SAME: f64 = 0.7;
/// Characters of a quote at most.
const MAX_CHARS: usize = 400;
/// Words that ask for a number.
const ASK_NUMBERS: [&str; 8] = ["when", "many", "much", "long", "often", "מתי", "כמה", "year"];
/// Words with a full stop that does not end a sentence.
const ABBREVIATIONS: [&str; 14] = [
    "dr", "mr", "mrs", "ms", "prof", "st", "no", "vs", "fig", "e.g", "i.e", "approx", "art", "sec",
];

/// A sentence to quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quote {
    /// The number of its passage.
    pub(super) index: u32,
    /// Its words, on one line.
    pub(super) text: String,
    /// Whether it shares words with the question.
    pub(super) matches: bool,
}

struct Sentence {
    index: u32,
    rank: u32,
    text: String,
    forms: HashSet<String>,
    is_fragment: bool,
}

/// The sentences to quote, best first. Without any shared word, the beginnings of the first passages.
pub(super) fn best(question: &str, materials: &[Material]) -> Vec<Quote> {
    let sentences: Vec<Sentence> = (0..)
        .zip(materials)
        .flat_map(|(rank, material)| sentences(rank, material))
        .collect();
    let scores = scores(question, &sentences);
    let mut order: Vec<(&Sentence, f64)> = sentences.iter().zip(scores).collect();
    // The sort is stable, so equal scores keep the order of the passages.
    order.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let top = order.first().map_or(0.0, |(_, score)| *score);
    if top <= 0.0 {
        let mut first = sentences
            .iter()
            .filter(|sentence| !sentence.is_fragment)
            .collect::<Vec<_>>();
        first.dedup_by_key(|sentence| sentence.index);
        return first
            .into_iter()
            .take(MAX_QUOTES / 2)
            .map(|sentence| sentence.quote(false))
            .collect();
    }
    let mut chosen: Vec<&Sentence> = Vec::new();
    for (sentence, score) in order {
        if chosen.len() == MAX_QUOTES || score < top * WORTH_QUOTING {
            break;
        }
        if !chosen.iter().any(|other| other.says_the_same(sentence)) {
            chosen.push(sentence);
        }
    }
    chosen.into_iter().map(|sentence| sentence.quote(true)).collect()
}

impl Sentence {
    fn quote(&self, matches: bool) -> Quote {
        let mut text = self.text.clone();
        if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
            text.truncate(end);
            text.truncate(text.rfind(' ').unwrap_or(end));
            text.push('…');
        }
        Quote {
            index: self.index,
            text,
            matches,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "sentences have few words")]
    fn says_the_same(&self, other: &Self) -> bool {
        let shared = self.forms.intersection(&other.forms).count();
        let smaller = self.forms.len().min(other.forms.len());
        shared as f64 >= smaller as f64 * SAME
    }
}

/// How well each sentence answers.
#[expect(clippy::cast_precision_loss, reason = "there are few sentences")]
fn scores(question: &str, sentences: &[Sentence]) -> Vec<f64> {
    let words = split(question);
    let asks_number = words.iter().any(|word| ASK_NUMBERS.contains(&word.as_str()));
    let wanted = Words::of(question).terms;
    let holds = |sentence: &Sentence, word: &Word| word.forms.iter().any(|form| sentence.forms.contains(form));
    let rarity = |word: &Word| {
        let holding = sentences.iter().filter(|sentence| holds(sentence, word)).count();
        (1.0 + sentences.len() as f64 / (holding as f64 + 0.5)).ln()
    };
    let wanted: Vec<(Word, f64)> = wanted
        .into_iter()
        .map(|word| {
            let rarity = rarity(&word);
            (word, rarity)
        })
        .collect();
    let total: f64 = wanted.iter().map(|(_, rarity)| rarity).sum();
    let coverage: Vec<f64> = sentences
        .iter()
        .map(|sentence| {
            let shared = wanted.iter().filter(|(word, _)| holds(sentence, word));
            if total > 0.0 {
                shared.map(|(_, rarity)| rarity).sum::<f64>() / total
            } else {
                0.0
            }
        })
        .collect();
    let neighbour = |at: Option<usize>, rank: u32| {
        let at = at.filter(|at| sentences.get(*at).is_some_and(|sentence| sentence.rank == rank));
        at.and_then(|at| coverage.get(at)).copied().unwrap_or(0.0)
    };
    let score = |(at, (sentence, own)): (usize, (&Sentence, &f64))| {
        let around = neighbour(at.checked_sub(1), sentence.rank).max(neighbour(Some(at + 1), sentence.rank) / 2.0);
        if *own + around <= 0.0 {
            return 0.0;
        }
        let has_number = asks_number && sentence.text.contains(|c: char| c.is_numeric());
        let bonus = if has_number { NUMBER_ASKED } else { 0.0 };
        let whole = if sentence.is_fragment { FRAGMENT } else { 1.0 };
        let place = (1.0 - COST_OF_RANK * f64::from(sentence.rank)).max(0.5);
        (own + FROM_NEIGHBOURS * around + bonus) * whole * place
    };
    sentences.iter().zip(&coverage).enumerate().map(score).collect()
}

/// The sentences of a passage in their order.
fn sentences(rank: u32, material: &Material) -> Vec<Sentence> {
    let texts = lines(&material.text).into_iter().flat_map(|line| cut(&line));
    texts
        .map(|text| {
            let words = split(&text);
            let ends = text
                .trim_end_matches(['"', '”', ')', '\''])
                .ends_with(['.', '!', '?', '…', '׃', '。', '|']);
            let begins_inside = text.chars().next().is_some_and(char::is_lowercase);
            let is_fragment = words.len() < 4 || !ends || begins_inside;
            let forms = forms(&text);
            Sentence {
                index: material.index,
                rank,
                text,
                forms,
                is_fragment,
            }
        })
        .filter(|sentence| !sentence.forms.is_empty())
        .collect()
}

/// The passage's lines with those joined that only the width of a page divided.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let bare = without_marker(&line);
        let is_item = bare.len() < line.len() || line.contains('|') || starts_with_number(&line);
        let is_heading = line.starts_with('#');
        match lines.last_mut().filter(|_| open && !is_item && !bare.is_empty()) {
            Some(last) => {
                last.push(' ');
                last.push_str(bare);
            }
            None if !bare.is_empty() => lines.push(bare.to_owned()),
            None => {}
        }
        open = !bare.is_empty() && !is_heading && !line.contains('|') && !line.ends_with([':', '.', '!', '?']);
    }
    lines
}

/// The line without the sign of a heading, a list's item or a quotation.
fn without_marker(line: &str) -> &str {
    let (marker, rest) = line.split_once(' ').unwrap_or(("", line));
    let is_marker = matches!(marker, "-" | "*" | "•" | "+" | ">") || marker.chars().all(|c| c == '#');
    if is_marker { rest } else { line }
}

/// Whether the line is an item of a numbered list.
fn starts_with_number(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "))
}

/// Cuts a line after full stops, question and exclamation marks that end a sentence.
fn cut(line: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !matches!(character, '.' | '!' | '?' | '…' | '。') {
            continue;
        }
        while let Some((_, _)) =
            characters.next_if(|(_, next)| matches!(next, '.' | '!' | '?' | '"' | '”' | ')' | '\''))
        {}
        let end = characters.peek().map_or(line.len(), |(next, _)| *next);
        let after = line.get(end..).unwrap_or_default();
        let next = after.trim_start().chars().next();
        let divides = character == '。' || (after.starts_with(' ') && !next.is_some_and(char::is_lowercase));
        let before = line.get(start..at).unwrap_or_default();
        if divides && !(character == '.' && is_abbreviation(before)) {
            sentences.extend(line.get(start..end).map(|sentence| sentence.trim().to_owned()));
            start = end;
        }
    }
    sentences.extend(
        line.get(start..)
            .map(|rest| rest.trim().to_owned())
            .filter(|rest| !rest.is_empty()),
    );
    sentences
}

/// Whether a text before a full stop ends in an abbreviation, an initial or the number of a list's item.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(']).next().unwrap_or_default();
    let is_number_of_item = word.len() == before.trim_start().len() && word.chars().all(|c| c.is_ascii_digit());
    word.chars().count() == 1 && word.chars().all(char::is_alphabetic)
        || is_number_of_item
        || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material(index: u32, text: &str) -> Material {
        Material {
            index,
            filename: "f.txt".into(),
            page: None,
            heading: None,
            text: text.into(),
        }
    }

    fn quotes(question: &str, texts: &[&str]) -> Vec<(u32, String)> {
        let materials: Vec<Material> = (1..).zip(texts).map(|(index, text)| material(index, text)).collect();
        best(question, &materials)
            .into_iter()
            .map(|quote| (quote.index, quote.text))
            .collect()
    }

    #[test]
    fn lines_are_cut_into_sentences() {
        let text = "# Refunds\nDr. Levi paid 3.5 million (approx. half).\nShe left! Why?\n\n- first item\n- second item goes\n  on here\n1. Open the box.";
        let found: Vec<String> = lines(text).iter().flat_map(|line| cut(line)).collect();
        let expected = [
            "Refunds",
            "Dr. Levi paid 3.5 million (approx. half).",
            "She left!",
            "Why?",
            "first item",
            "second item goes on here",
            "1. Open the box.",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_sentence_with_the_answer_comes_first_wherever_it_stands() {
        let handbook = "Welcome to Acme. Our offices are in Haifa. Employees get 23 days of paid vacation each year. The canteen opens at noon.";
        let other = "Vacation requests go to the manager. The portal is called Sunrise.";
        let found = quotes("How many vacation days do employees get?", &[other, handbook]);
        assert_eq!(
            found[0],
            (2, "Employees get 23 days of paid vacation each year.".to_owned())
        );
        assert!(
            found.len() <= MAX_QUOTES && !found.iter().any(|(_, text)| text.contains("canteen")),
            "{found:?}"
        );
    }

    #[test]
    fn what_neighbouring_passages_share_is_quoted_once() {
        let text = "The warranty lasts two years. It covers parts.";
        let found = quotes("How long is the warranty?", &[text, text]);
        assert_eq!(
            found.iter().filter(|(_, text)| text.contains("two years")).count(),
            1,
            "{found:?}"
        );
    }

    #[test]
    fn hebrew_questions_find_hebrew_sentences() {
        let text = "ברוכים הבאים לחברה. ימי החופשה השנתית הם עשרים ושלושה. המשרדים בחיפה.";
        let found = quotes("כמה ימי חופשה יש בשנה?", &[text]);
        assert_eq!(found[0].1, "ימי החופשה השנתית הם עשרים ושלושה.");
    }

    #[test]
    fn without_a_shared_word_the_first_passages_speak() {
        let found = best(
            "quantum entanglement",
            &[
                material(1, "The cat sleeps all day."),
                material(2, "Dogs bark at night."),
            ],
        );
        assert_eq!(
            found
                .iter()
                .map(|quote| (quote.index, quote.matches))
                .collect::<Vec<_>>(),
            [(1, false), (2, false)]
        );
        assert!(best("anything", &[]).is_empty());
    }

    #[test]
    fn long_sentences_are_cut_between_words() {
        let found = quotes("needle", &[&format!("The needle {}.", "haystack ".repeat(100))]);
        assert!(found[0].1.ends_with("haystack…") && found[0].1.chars().count() <= MAX_CHARS + 1);
    }
}
