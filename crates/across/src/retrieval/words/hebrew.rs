//! Hebrew words: prefixes by grammar, endings, and the full spelling of words that are written with points.

/// Conjunctions that may open a word, behind an "and": ש, כש, מש, לכש.
const CONJUNCTIONS: [&str; 4] = ["לכש", "כש", "מש", "ש"];
/// Prepositions, behind those.
const PREPOSITIONS: [&str; 4] = ["מ", "ב", "ל", "כ"];
/// Letters that must stay when a prefix goes.
const STAY_BEHIND_PREFIX: usize = 3;
/// Letters that must stay when an ending goes.
const STAY_BEFORE_ENDING: usize = 2;

/// Whether it is a letter of the Hebrew alphabet.
pub(super) fn is_letter(character: char) -> bool {
    matches!(character, '\u{5d0}'..='\u{5ea}')
}

/// The letter in the shape that it has inside of a word.
pub(super) fn plain(letter: char) -> char {
    match letter {
        'ך' => 'כ',
        'ם' => 'מ',
        'ן' => 'נ',
        'ף' => 'פ',
        'ץ' => 'צ',
        other => other,
    }
}

/// The word, what remains of it without each prefix it may have, and those without their endings.
pub(super) fn forms<'a>(plain: &'a str, add: &mut impl FnMut(String)) {
    let mut bases = vec![plain];
    bases.extend(plain.strip_prefix('ו'));
    let behind = |bases: &[&'a str], prefixes: &[&str]| -> Vec<&'a str> {
        let strips = bases
            .iter()
            .flat_map(|base| prefixes.iter().map(|prefix| base.strip_prefix(prefix)));
        strips.flatten().collect()
    };
    bases.extend(behind(&bases, &CONJUNCTIONS));
    bases.extend(behind(&bases, &PREPOSITIONS));
    bases.extend(behind(&bases, &["ה"]));
    for base in bases {
        if base.len() == plain.len() || base.chars().count() >= STAY_BEHIND_PREFIX {
            add(without_ending(base).to_owned());
        }
    }
}

/// Plural, feminine and construct endings make no other word.
fn without_ending(base: &str) -> &str {
    let rest = ["יימ", "ימ", "יות", "ות", "יה", "ית", "ה", "ת", "י"]
        .iter()
        .find_map(|ending| base.strip_suffix(ending));
    rest.filter(|rest| rest.chars().count() >= STAY_BEFORE_ENDING)
        .unwrap_or(base)
}

/// The spelling without points of a word that has them: vowels that are written then as letters are put in, by the
/// rules of the Academy of the Hebrew Language. None if the word has no points.
pub(super) fn full_spelling(raw: &str) -> Option<String> {
    let is_point = |c: char| matches!(c, '\u{5b0}'..='\u{5bc}' | '\u{5c7}');
    if !raw.chars().any(is_point) {
        return None;
    }
    // Letters with their points.
    let mut letters: Vec<(char, String)> = Vec::new();
    for character in raw.chars() {
        match letters.last_mut() {
            Some((_, points)) if !is_letter(character) => points.push(character),
            _ => letters.push((character, String::new())),
        }
    }
    let mut full = String::new();
    for (at, (letter, points)) in letters.iter().enumerate() {
        full.push(plain(*letter));
        let next = letters.get(at + 1);
        let has = |point: char| points.contains(point);
        let vowel_letter = |wanted: char| next.is_some_and(|(letter, _)| *letter == wanted);
        // Qubuts, and holam on a letter before another: written with vav.
        if (has('\u{5bb}') || (has('\u{5b9}') && *letter != 'ו' && !vowel_letter('א') && !vowel_letter('ה')))
            && next.is_some()
            && !vowel_letter('ו')
        {
            full.push('ו');
        }
        // Hiriq is written with yod unless the next letter closes the syllable.
        if has('\u{5b4}') && !vowel_letter('י') && next.is_some_and(|(_, points)| !points.contains('\u{5b0}')) {
            full.push('י');
        }
    }
    Some(full)
}
