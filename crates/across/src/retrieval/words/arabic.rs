//! Arabic words: the light stemmer light10 (Larkey, Ballesteros, Connell 2007).

/// What stands for "the", alone or behind "and", "with", "like", "so" and "for".
const ARTICLES: [&str; 6] = ["وال", "بال", "كال", "فال", "ال", "لل"];
/// Endings, in the order in which they are tried; each once. Ta marbuta is written as ha here.
const ENDINGS: [&str; 9] = ["ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي", "ا"];

/// Whether it is a letter of the Arabic script.
pub(super) fn is_letter(character: char) -> bool {
    matches!(character, '\u{620}'..='\u{64a}' | '\u{66e}'..='\u{6d3}')
}

/// One letter for those that are written for one another. Hamzas went with the marks.
pub(super) fn plain(letter: char) -> char {
    match letter {
        '\u{671}' => 'ا',
        'ى' | 'ی' => 'ي',
        'ة' => 'ه',
        'ک' => 'ك',
        other => other,
    }
}

/// A word without article, "and" and endings.
pub(super) fn stem(plain: &str) -> &str {
    let mut stem = plain;
    if let Some(rest) = stem.strip_prefix('و').filter(|rest| letters(rest) >= 3) {
        stem = rest;
    }
    let article = ARTICLES.iter().find_map(|article| stem.strip_prefix(article));
    stem = article.filter(|rest| letters(rest) >= 2).unwrap_or(stem);
    for ending in ENDINGS {
        stem = stem
            .strip_suffix(ending)
            .filter(|rest| letters(rest) >= 2)
            .unwrap_or(stem);
    }
    stem
}

fn letters(word: &str) -> usize {
    word.chars().count()
}
