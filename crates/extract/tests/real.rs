//! Real documents give the words that independent programs find in them: poppler, LibreOffice and pandoc.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use across_extract::{Kind, detect, extract};

/// The least mean F1 of a format.
const MEAN: f64 = 0.97;

/// Words as the comparison counts them: runs of letters and digits. Scripts without blanks count by the letter, and case,
/// bullets and the like are the other program's choice.
fn words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        let is_alone = ('\u{2e80}'..='\u{d7ff}').contains(&character);
        if character.is_alphanumeric() && !is_alone {
            word.extend(character.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            *counts.entry(std::mem::take(&mut word)).or_default() += 1;
        }
        if is_alone && character.is_alphanumeric() {
            *counts.entry(character.to_string()).or_default() += 1;
        }
    }
    counts
}

/// Precision and recall of the words.
fn agreement(ours: &str, theirs: &str) -> (f64, f64) {
    let (ours, theirs) = (words(ours), words(theirs));
    let common: usize = ours
        .iter()
        .map(|(word, count)| theirs.get(word).copied().unwrap_or_default().min(*count))
        .sum();
    let share = |counts: &HashMap<String, usize>| common as f64 / counts.values().sum::<usize>().max(1) as f64;
    (share(&ours), share(&theirs))
}

/// Reads every document of a kind and compares it with its reference; the message has the figure of each.
fn compare(kind: Kind, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/real")
        .join(kind.as_str());
    let mut report = String::new();
    let mut sum = 0.0;
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == kind.as_str()))
        .collect();
    files.sort();
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(
            detect(&name, &mut std::fs::File::open(path).unwrap()).unwrap(),
            Ok(kind),
            "{name}"
        );
        let text = extract(kind, &std::fs::read(path).unwrap()).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        let theirs = std::fs::read_to_string(path.with_extension("ref.txt")).unwrap();
        let (precision, recall) = agreement(&text.text, &theirs);
        let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        sum += f1;
        writeln!(report, "{f1:.4} (precision {precision:.4}, recall {recall:.4}) {name}").unwrap();
    }
    let mean = sum / files.len() as f64;
    let report = format!("{} documents, mean F1 {mean:.4}:\n{report}", files.len());
    assert!(files.len() >= least && mean >= MEAN, "{report}");
}

#[test]
fn pdf_words_are_those_that_poppler_finds() {
    compare(Kind::Pdf, 4);
}

#[test]
fn docx_words_are_those_that_libreoffice_finds() {
    compare(Kind::Docx, 4);
}

#[test]
fn pptx_words_are_those_that_libreoffice_shows() {
    compare(Kind::Pptx, 4);
}

#[test]
fn xlsx_words_are_those_that_libreoffice_shows() {
    compare(Kind::Xlsx, 4);
}

#[test]
fn epub_words_are_those_that_pandoc_finds() {
    compare(Kind::Epub, 4);
}
