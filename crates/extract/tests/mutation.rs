//! Thousands of damaged copies of good documents: each is read or refused, and never ends the program.
//!
//! The seed is fixed, so that a run says the same each time.

use std::io::Cursor;

use across_extract::{Kind, detect, extract};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use crate::support::{corpus, docx, paragraph, pdf_of_pages};

/// Small documents of every kind. The parsers see each byte of them often.
fn seeds() -> Vec<(Kind, Vec<u8>)> {
    vec![
        (Kind::Pdf, corpus("brand-guide.pdf")),
        (Kind::Pdf, corpus("owner-password-only.pdf")),
        (Kind::Pdf, corpus("scan.pdf")),
        (
            Kind::Pdf,
            pdf_of_pages(&[
                "BT /F1 12 Tf 50 700 Td (One) Tj ET",
                "BT /F1 12 Tf 50 700 Td (Two) Tj ET",
            ]),
        ),
        (Kind::Docx, corpus("campaign-brief.docx")),
        (Kind::Docx, docx(&paragraph("One &amp; two"))),
        (Kind::Txt, "Příliš žluťoučký kůň".as_bytes().to_vec()),
        (Kind::Md, b"\xff\xfe#\0 \0A\0".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_270_314),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_damaged_document_is_read_or_refused(
        seed in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..12),
        cut in prop::option::weighted(0.3, any::<Index>()),
        doubled in prop::option::weighted(0.2, (any::<Index>(), any::<Index>())),
    ) {
        let seeds = seeds();
        let (kind, good) = seed.get(&seeds);
        let mut bytes = good.clone();
        for (place, value) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        if let Some((from, to)) = doubled {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let copy = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.extend(copy);
        }
        if let Some(length) = cut {
            bytes.truncate(length.index(bytes.len() + 1));
        }
        let name = format!("a.{}", kind.as_str());
        prop_assert!(detect(&name, &mut Cursor::new(&bytes)).is_ok(), "reading from memory failed");
        if let Ok(text) = extract(*kind, &bytes) {
            prop_assert!(!text.text.trim().is_empty());
            let length = text.text.chars().count();
            prop_assert!(text.pages.iter().all(|page| page.start <= page.end && page.end <= length));
        }
    }

    #[test]
    fn noise_is_refused(kind in any::<Index>(), noise in prop::collection::vec(any::<u8>(), 64..2_000)) {
        let kind = *kind.get(&Kind::ALL);
        prop_assert!(extract(kind, &noise).is_err());
        let name = format!("a.{}", kind.as_str());
        prop_assert!(detect(&name, &mut Cursor::new(&noise)).unwrap().is_err());
    }
}
