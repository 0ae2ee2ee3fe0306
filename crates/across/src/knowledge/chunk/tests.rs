//! What every cut keeps, on ordinary and on hostile texts.

use proptest::prelude::*;

use super::*;

fn count(text: &str) -> usize {
    bpe_openai::cl100k_base().count(text)
}

fn by_chars(text: &str, start: u32, end: u32) -> String {
    text.chars().skip(start as usize).take((end - start) as usize).collect()
}

fn cut(text: &str, max: usize, overlap: usize) -> Vec<Piece<'_>> {
    let document = Document {
        text,
        pages: &[],
        headings: &[],
    };
    pieces(document, max, overlap).collect()
}

/// The headings of a Markdown text, as spans of their words without the marks.
fn headings(text: &str) -> Vec<Heading> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let chars = line.chars().count();
        let level = line.chars().take_while(|c| *c == '#').count();
        if level > 0 {
            found.push(Heading {
                level: u8::try_from(level.min(6)).unwrap(),
                start: at + level + 1,
                end: at + line.trim_end().chars().count(),
            });
        }
        at += chars;
    }
    found
}

fn cut_markdown<'a>(text: &'a str, headings: &'a [Heading], max: usize, overlap: usize) -> Vec<Piece<'a>> {
    let document = Document {
        text,
        pages: &[],
        headings,
    };
    pieces(document, max, overlap).collect()
}

#[test]
fn a_short_text_is_one_piece() {
    let found = cut("  One line.\n", 512, 50);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].text, found[0].start, found[0].end), ("One line.", 2, 11));
    assert_eq!(
        (found[0].tokens as usize, &found[0].heading),
        (count("One line."), &None)
    );
    assert!(cut(" \n ", 512, 50).is_empty());
    assert!(cut("", 512, 50).is_empty());
}

#[test]
fn cuts_fall_between_paragraphs_and_sentences() {
    let paragraph = "The quick brown fox jumps over the lazy dog. It does so every single day of the week.";
    let text = [paragraph; 12].join("\n\n");
    let found = cut(&text, 64, 8);
    assert!(found.len() > 4);
    assert!(found.iter().all(|piece| piece.text.ends_with('.')), "{found:#?}");
}

#[test]
fn sentences_end_in_every_script() {
    for (sentence, end) in [
        ("今天的会议改到下午三点举行，请大家准时参加！", '！'),
        ("この文書はいつ公開されますか？", '？'),
        ("متى يفتح المكتب أبوابه للزوار في الصباح؟ ", '؟'),
        ("कार्यालय सुबह नौ बजे खुलता है और पाँच बजे बंद होता है। ", '।'),
        ("המשרד נפתח בשעה תשע בבוקר ונסגר בחמש. ", '.'),
    ] {
        let text = sentence.repeat(30);
        let found = cut(&text, 128, 0);
        assert!(found.len() > 2);
        assert!(found.iter().all(|piece| piece.text.ends_with(end)), "{found:#?}");
    }
}

#[test]
fn pages_are_kept_and_end_pieces() {
    let one = "Alpha beta gamma. ".repeat(20);
    let two = "Delta epsilon zeta. ".repeat(20);
    let text = format!("{one}\n\n{two}");
    let ends = (one.chars().count(), text.chars().count());
    let page = |number, start, end| Page { number, start, end };
    let pages = [page(1, 0, ends.0), page(2, ends.0 + 2, ends.1)];
    let document = Document {
        text: &text,
        pages: &pages,
        headings: &[],
    };
    let found: Vec<_> = pieces(document, 140, 20).collect();
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
    let found = cut(&text, 100, 20);
    for pair in found.windows(2) {
        assert!(pair[1].start < pair[0].end, "{pair:?}");
    }
}

#[test]
fn pieces_begin_at_headings_and_share_nothing_across_them() {
    let section = |n: usize| {
        format!(
            "## Part {n}\n\n{}\n\n",
            "Something is said here at some length. ".repeat(9)
        )
    };
    let text: String = (0..12).map(section).collect();
    let marks = headings(&text);
    let found = cut_markdown(&text, &marks, 200, 50);
    // Two parts go together, as there is room for them.
    assert_eq!(found.len(), 6, "{found:#?}");
    for (n, piece) in found.iter().enumerate() {
        assert!(piece.text.starts_with(&format!("## Part {}\n", 2 * n)), "{piece:?}");
        assert_eq!(piece.heading, Some(format!("Part {}", 2 * n)));
    }
}

#[test]
fn a_heading_is_not_parted_from_its_text_nor_from_the_heading_below_it() {
    let filler = "Words that fill a window to its end and beyond. ".repeat(11);
    let text = format!("{filler}\n\n# Title\n\n## Part\n\n{filler}");
    let marks = headings(&text);
    let found = cut_markdown(&text, &marks, 150, 20);
    let titled: Vec<_> = found.iter().filter(|piece| piece.text.contains("# Title")).collect();
    assert_eq!(titled.len(), 1, "{found:#?}");
    assert!(titled[0].text.starts_with("# Title\n\n## Part\n\nWords"), "{titled:?}");
}

#[test]
fn a_piece_knows_the_headings_above_it() {
    let filler = "Something is said here at some length. ".repeat(20);
    let text =
        format!("# A\n\n{filler}\n\n## B\n\n{filler}\n\n### C\n\n{filler}\n\n## D\n\n{filler}\n\n# E\n\n{filler}");
    let marks = headings(&text);
    let found = cut_markdown(&text, &marks, 100, 10);
    let mut paths: Vec<_> = found.iter().filter_map(|piece| piece.heading.as_deref()).collect();
    paths.dedup();
    assert_eq!(paths, ["A", "A › B", "A › B › C", "A › D", "E"]);
}

#[test]
fn the_headings_above_a_piece_are_short() {
    let long = |c: &str| format!("{c} {}", "many words of a title ".repeat(8).trim_end());
    let text = format!("# {}\n\n## {}\n\n### Last\n\nText.", long("a"), long("b"));
    let marks = headings(&text);
    let path = cut_markdown(&text, &marks, 512, 50)[0].heading.clone().unwrap();
    // At the beginning only the first is in force, and it is there whole.
    assert_eq!(path, long("a"));
    let endless = format!("# {}\n\n{}", "title ".repeat(5_000), "Text. ".repeat(400));
    let marks = headings(&endless);
    for piece in cut_markdown(&endless, &marks, 512, 50) {
        let path = piece.heading.unwrap();
        assert!(
            path.starts_with("title") && count(&path) <= MAX_HEADING_TOKENS,
            "{path}"
        );
    }
    let deep: String = (1..=6)
        .map(|level| format!("{} {}\n\n", "#".repeat(level), long("x")))
        .collect();
    let deep = format!("{deep}{}", "Text. ".repeat(900));
    let marks = headings(&deep);
    let last = cut_markdown(&deep, &marks, 512, 50).pop().unwrap().heading.unwrap();
    assert!(
        count(&last) <= MAX_HEADING_TOKENS && last.ends_with(&long("x")),
        "{last}"
    );
}

#[test]
fn the_same_text_always_gives_the_same_pieces() {
    let text: String = (0..3_000)
        .map(|n| {
            format!(
                "{}Sentence {n} speaks of {}. ",
                if n % 40 == 0 { "\n\n# Part\n\n" } else { "" },
                n * 7919
            )
        })
        .collect();
    let marks = headings(&text);
    let first = cut_markdown(&text, &marks, 512, 50);
    assert!(first.len() > 50);
    for _ in 0..3 {
        assert_eq!(cut_markdown(&text, &marks, 512, 50), first);
    }
}

/// A walk of white space that begins anew at every token would take days for these: the test would not end.
#[test]
fn s37_hostile_texts_cost_no_more_than_others_of_their_length() {
    const MANY: usize = 20 * 1024 * 1024;
    let quotes = "\"'».!? ".repeat(MANY / 32);
    for text in [
        " ".repeat(MANY),
        "\n".repeat(MANY / 4),
        " \n".repeat(MANY / 8),
        "\u{a0}".repeat(MANY / 8),
        format!("a{}b", "\t".repeat(MANY / 4)),
        ")".repeat(MANY / 8),
        "a".repeat(MANY / 8),
        "。".repeat(MANY / 16),
        quotes,
    ] {
        let words = text.chars().filter(|c| !c.is_whitespace()).count();
        let found = cut(&text, 512, 256);
        assert!(found.iter().all(|piece| piece.tokens <= 512));
        let held: usize = found.iter().map(|piece| piece.text.len()).sum();
        assert!(held <= 4 * text.len(), "{held} bytes of {}", text.len());
        assert_eq!(found.is_empty(), words == 0);
    }
    // Nothing but headings, of which none can be kept apart from the next.
    let text = "#### x\n".repeat(MANY / 64);
    let marks = headings(&text);
    assert!(!cut_markdown(&text, &marks, 512, 50).is_empty());
}

#[test]
fn overlap_never_holds_a_cut_back() {
    let text = "One. Two words. ".repeat(4_000);
    let found = cut(&text, 64, 32);
    assert!(found.len() <= count(&text) / 16 + 1, "{}", found.len());
    assert!(found.windows(2).all(|pair| pair[0].start < pair[1].start));
}

proptest! {
    #[test]
    fn nothing_is_lost_and_offsets_and_counts_are_true(
        words in prop::collection::vec("[a-zא-ת漢😀.!?。\n# ]{1,12}", 0..120), max in 8usize..64, overlap in 0usize..40,
    ) {
        let text = words.join(" ");
        let marks = headings(&text);
        let found = cut_markdown(&text, &marks, max, overlap);
        let mut covered = 0;
        for piece in &found {
            prop_assert_eq!(by_chars(&text, piece.start, piece.end), piece.text);
            prop_assert_eq!(count(piece.text), piece.tokens as usize);
            prop_assert!(piece.tokens as usize <= max, "{} > {}", piece.tokens, max);
            let gap: String = text.chars().skip(covered).take((piece.start as usize).saturating_sub(covered)).collect();
            prop_assert!(gap.trim().is_empty(), "lost {:?}", gap);
            covered = covered.max(piece.end as usize);
        }
        let rest: String = text.chars().skip(covered).collect();
        prop_assert!(rest.trim().is_empty(), "lost {:?}", rest);
        prop_assert_eq!(cut_markdown(&text, &marks, max, overlap), found);
    }
}
