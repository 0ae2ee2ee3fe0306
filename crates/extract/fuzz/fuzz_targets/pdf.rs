//! Any bytes, taken for a document of the kind pdf.
#![no_main]

use across_extract::{Kind, detect, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // The libraries that read PDF panic on damaged ones, which is caught; a panic of ours is not expected and ends the run.
    init: std::panic::set_hook(Box::new(|panic| {
        if panic.location().is_none_or(|place| place.file().contains("crates/extract/")) {
            eprintln!("{panic}");
            std::process::abort();
        }
    })),
    |bytes: &[u8]| {
        let _ = detect("a.pdf", &mut std::io::Cursor::new(bytes));
        let _ = extract(Kind::Pdf, bytes);
    }
);
