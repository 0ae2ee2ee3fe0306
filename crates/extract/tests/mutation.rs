//! Thousands of damaged copies of good documents: each is read or refused, and never ends the program.
//!
//! The seed is fixed, so that a run says the same each time.

use std::io::Cursor;
use std::sync::LazyLock;

use across_extract::{Kind, detect, extract};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use crate::support::corpus;

/// Small documents of every kind: those of the corpus and the seeds of the fuzzers. The parsers see each byte of them often.
fn seeds() -> Vec<(Kind, Vec<u8>)> {
    let mut seeds = vec![
        (Kind::Pdf, corpus("brand-guide.pdf")),
        (Kind::Pdf, corpus("owner-password-only.pdf")),
        (Kind::Pdf, corpus("scan.pdf")),
        (Kind::Docx, corpus("campaign-brief.docx")),
    ];
    for kind in Kind::ALL {
        let folder = format!("{}/fuzz/seeds/{}", env!("CARGO_MANIFEST_DIR"), kind.as_str());
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "{kind:?} has no seeds");
        seeds.extend(paths.iter().map(|path| (kind, std::fs::read(path).unwrap())));
    }
    seeds
}

static SEEDS: LazyLock<Vec<(Kind, Vec<u8>)>> = LazyLock::new(seeds);

/// What holds for any bytes at all.
fn check(kind: Kind, bytes: &[u8]) {
    let name = format!("a.{}", kind.as_str());
    assert!(
        detect(&name, &mut Cursor::new(bytes)).is_ok(),
        "reading from memory failed"
    );
    let Ok(text) = extract(kind, bytes) else { return };
    assert!(!text.text.trim().is_empty());
    let length = text.text.chars().count();
    assert!(
        text.pages
            .iter()
            .all(|page| page.start <= page.end && page.end <= length)
    );
    let mut place = 0;
    for heading in &text.headings {
        assert!((1..=6).contains(&heading.level) && place <= heading.start);
        assert!(heading.start < heading.end && heading.end <= length);
        place = heading.end;
    }
}

#[test]
fn every_seed_is_read() {
    for (kind, bytes) in seeds() {
        check(kind, &bytes);
        let name = format!("a.{}", kind.as_str());
        assert_eq!(detect(&name, &mut Cursor::new(&bytes)).unwrap(), Ok(kind));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_270_314),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_damaged_document_is_read_or_refused(
        kind in any::<Index>(),
        seed in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..12),
        cut in prop::option::weighted(0.3, any::<Index>()),
        doubled in prop::option::weighted(0.2, (any::<Index>(), any::<Index>())),
    ) {
        let kind = *kind.get(&Kind::ALL);
        let seeds: Vec<_> = SEEDS.iter().filter(|(of, _)| *of == kind).collect();
        let (_, good) = seed.get(&seeds);
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
        check(kind, &bytes);
    }

    #[test]
    fn noise_is_refused(kind in any::<Index>(), noise in prop::collection::vec(any::<u8>(), 64..2_000)) {
        let kind = *kind.get(&Kind::ALL);
        prop_assert!(extract(kind, &noise).is_err());
        let name = format!("a.{}", kind.as_str());
        prop_assert!(detect(&name, &mut Cursor::new(&noise)).unwrap().is_err());
    }
}
