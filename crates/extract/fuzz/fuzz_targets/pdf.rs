//! Any bytes, taken for a document of the kind pdf.
#![no_main]

use across_extract::{Kind, detect, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = detect("a.pdf", &mut std::io::Cursor::new(bytes));
    let _ = extract(Kind::Pdf, bytes);
});
