//! Cuts a text into chunks of at most so many tokens that overlap a little, at the ends of pages, paragraphs and sentences
//! where there are any, and keeps where each chunk stands.

use across_extract::Page;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its words, without white space at the ends.
    pub text: &'a str,
    /// The page it begins on.
    pub page: Option<u32>,
    /// Where it begins, in characters of the whole text.
    pub start: u32,
    /// Where it ends, exclusive, in characters.
    pub end: u32,
    /// How many tokens it has.
    pub tokens: u32,
}

/// How good a place is to cut a text, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// Between two characters.
    Character,
    /// Between two words.
    Word,
    /// At the end of a line.
    Line,
    /// At the end of a sentence.
    Sentence,
    /// At an empty line.
    Paragraph,
    /// At the end of a page.
    Page,
}

/// Where a token ends that is also the boundary of a character.
struct Boundary {
    /// Offset in bytes.
    byte: usize,
    /// How many tokens lie before it.
    tokens: usize,
    cut: Cut,
}

/// Cuts `text` into pieces of at most `max_tokens` tokens (cl100k); neighbours share about `overlap` tokens.
///
/// The text is encoded once; cuts lie between tokens, so that no piece has to be counted again. A cut is made in the last
/// half of a window, at the best kind of place that occurs there, as late as possible.
#[must_use]
pub fn pieces<'a>(text: &'a str, pages: &[Page], max_tokens: usize, overlap: usize) -> Vec<Piece<'a>> {
    let max_tokens = max_tokens.max(1);
    let overlap = overlap.min(max_tokens / 2);
    let boundaries = boundaries(text, pages);
    let mut found = Vec::new();
    let mut chars = CharCounter {
        text,
        byte: 0,
        chars: 0,
    };
    // Indices into `boundaries`; boundary 0 is the text's beginning.
    let mut from = 0;
    while let Some(start) = boundaries.get(from).filter(|start| start.byte < text.len()) {
        let full = boundaries.partition_point(|b| b.tokens <= start.tokens + max_tokens) - 1;
        // A piece never crosses into the next page: what stands there is to be cited with that page.
        let page_end = (from + 1..full).find(|index| boundaries.get(*index).is_some_and(|b| b.cut == Cut::Page));
        let last = page_end.unwrap_or(full);
        // A single character of more tokens than a chunk holds still has to go somewhere.
        let last = last.max(from + 1).min(boundaries.len() - 1);
        let to = if page_end.is_some() || last == boundaries.len() - 1 {
            last
        } else {
            best_cut(&boundaries, from, last, start.tokens + max_tokens.div_ceil(2))
        };
        let Some(end) = boundaries.get(to) else { break };
        let whole = text.get(start.byte..end.byte).unwrap_or_default();
        let trimmed = whole.trim();
        if !trimmed.is_empty() {
            let first = start.byte + (whole.len() - whole.trim_start().len());
            let begin = chars.at(first);
            found.push(Piece {
                text: trimmed,
                page: page_of(pages, begin),
                start: narrow(begin),
                end: narrow(begin + trimmed.chars().count()),
                tokens: narrow(end.tokens - start.tokens),
            });
        }
        if to == boundaries.len() - 1 {
            break;
        }
        from = overlap_start(&boundaries, from, to, overlap);
    }
    found
}

/// The latest boundary of the best kind within the window's second half.
fn best_cut(boundaries: &[Boundary], from: usize, last: usize, half: usize) -> usize {
    let window = (from + 1..=last).filter(|index| boundaries.get(*index).is_some_and(|b| b.tokens >= half));
    window
        .max_by_key(|index| boundaries.get(*index).map(|b| (b.cut, *index)))
        .unwrap_or(last)
}

/// Where the next piece begins: about `overlap` tokens before the end, at the beginning of a sentence if one begins there,
/// else of a word. Never before this piece's own second token, so that cutting always moves on. A page that ended the
/// piece is not repeated: what stands on the next page is cited there.
fn overlap_start(boundaries: &[Boundary], from: usize, to: usize, overlap: usize) -> usize {
    let Some(end) = boundaries.get(to).filter(|end| end.cut != Cut::Page) else {
        return to;
    };
    let earliest = boundaries
        .partition_point(|b| b.tokens + overlap < end.tokens)
        .max(from + 1);
    let kind = |wanted: Cut| (earliest..to).find(|index| boundaries.get(*index).is_some_and(|b| b.cut >= wanted));
    kind(Cut::Sentence).or_else(|| kind(Cut::Word)).unwrap_or(to)
}

/// Every place between two tokens where the text may be cut, the beginning and the end included.
fn boundaries(text: &str, pages: &[Page]) -> Vec<Boundary> {
    let tokenizer = bpe_openai::cl100k_base();
    let mut page_ends = pages.iter().map(|page| page.end).peekable();
    let mut chars = CharCounter {
        text,
        byte: 0,
        chars: 0,
    };
    let mut found = vec![Boundary {
        byte: 0,
        tokens: 0,
        cut: Cut::Page,
    }];
    let mut byte = 0;
    for (before, token) in tokenizer.encode(text).into_iter().enumerate() {
        byte += tokenizer.bpe.token_len(token);
        if !text.is_char_boundary(byte) {
            continue;
        }
        let mut cut = kind_of_cut(text, byte);
        if page_ends.peek().is_some_and(|end| chars.at(byte) >= *end) {
            while page_ends.next_if(|end| chars.chars >= *end).is_some() {}
            cut = Cut::Page;
        }
        found.push(Boundary {
            byte,
            tokens: before + 1,
            cut,
        });
    }
    found
}

/// What ends at this place. White space may lie before or after it, since tokens carry it at their beginning.
fn kind_of_cut(text: &str, byte: usize) -> Cut {
    let (before, after) = text.split_at(byte);
    let said = before.trim_end();
    let gap_before = &before[said.len()..];
    let gap_after = &after[..after.len() - after.trim_start().len()];
    let lines = gap_before.matches('\n').count() + gap_after.matches('\n').count();
    if lines >= 2 {
        Cut::Paragraph
    } else if gap_before.is_empty() && gap_after.is_empty() {
        Cut::Character
    } else if said.ends_with(['.', '!', '?', '…', '。', '؟', '׃'])
        || said.ends_with([')', '"', '”', '»', '’'])
            && said
                .trim_end_matches([')', '"', '”', '»', '’'])
                .ends_with(['.', '!', '?'])
    {
        Cut::Sentence
    } else if lines == 1 {
        Cut::Line
    } else {
        Cut::Word
    }
}

fn page_of(pages: &[Page], at: usize) -> Option<u32> {
    let index = pages.partition_point(|page| page.end <= at);
    pages.get(index).or(pages.last()).map(|page| page.number)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Turns byte offsets into character offsets, walking the text once as long as offsets grow.
struct CharCounter<'a> {
    text: &'a str,
    byte: usize,
    chars: usize,
}

impl CharCounter<'_> {
    fn at(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.chars) = (0, 0);
        }
        self.chars += self
            .text
            .get(self.byte..byte)
            .map_or(0, |passed| passed.chars().count());
        self.byte = byte;
        self.chars
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> usize {
        bpe_openai::cl100k_base().count(text)
    }

    fn by_chars(text: &str, start: u32, end: u32) -> String {
        text.chars().skip(start as usize).take((end - start) as usize).collect()
    }

    #[test]
    fn a_short_text_is_one_piece() {
        let found = pieces("  One line.\n", &[], 512, 50);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text, found[0].start, found[0].end), ("One line.", 2, 11));
        assert!(pieces(" \n ", &[], 512, 50).is_empty());
        assert!(pieces("", &[], 512, 50).is_empty());
    }

    #[test]
    fn cuts_fall_between_paragraphs_and_sentences() {
        let paragraph = "The quick brown fox jumps over the lazy dog. It does so every single day of the week.";
        let text = [paragraph; 12].join("\n\n");
        let found = pieces(&text, &[], 64, 8);
        assert!(found.len() > 4);
        assert!(found.iter().all(|piece| piece.text.ends_with('.')), "{found:#?}");
    }

    #[test]
    fn pages_are_kept_and_end_pieces() {
        let one = "Alpha beta gamma. ".repeat(20);
        let two = "Delta epsilon zeta. ".repeat(20);
        let text = format!("{one}\n\n{two}");
        let ends = (one.chars().count(), text.chars().count());
        let pages = [
            Page {
                number: 1,
                start: 0,
                end: ends.0,
            },
            Page {
                number: 2,
                start: ends.0 + 2,
                end: ends.1,
            },
        ];
        let found = pieces(&text, &pages, 140, 20);
        assert_eq!(found.first().unwrap().page, Some(1));
        assert!(
            found
                .iter()
                .any(|piece| piece.page == Some(2) && piece.text.starts_with("Delta"))
        );
        assert!(
            found
                .iter()
                .all(|piece| !(piece.text.contains("Alpha") && piece.text.contains("Delta")))
        );
    }

    #[test]
    fn neighbours_overlap() {
        let text: String = (0..400).map(|n| format!("word{n} ")).collect();
        let found = pieces(&text, &[], 100, 20);
        for pair in found.windows(2) {
            assert!(pair[1].start < pair[0].end, "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_offsets_are_true(
            words in prop::collection::vec("[a-zא-ת漢😀.!?\n ]{1,12}", 0..120), max in 8usize..64, overlap in 0usize..40,
        ) {
            let text = words.join(" ");
            let found = pieces(&text, &[], max, overlap);
            let mut covered = 0;
            for piece in &found {
                prop_assert_eq!(by_chars(&text, piece.start, piece.end), piece.text);
                prop_assert!(piece.tokens as usize <= max.max(4), "{} > {}", piece.tokens, max);
                // Encoded alone, white space at the edges may be split differently.
                prop_assert!(count(piece.text) <= piece.tokens as usize + 2);
                let gap: String = text.chars().skip(covered).take((piece.start as usize).saturating_sub(covered)).collect();
                prop_assert!(gap.trim().is_empty(), "lost {:?}", gap);
                covered = covered.max(piece.end as usize);
            }
            let rest: String = text.chars().skip(covered).collect();
            prop_assert!(rest.trim().is_empty(), "lost {:?}", rest);
        }
    }
}
