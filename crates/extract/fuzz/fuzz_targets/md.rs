//! Any bytes, taken for a document of the kind md.
#![no_main]

use across_extract::{Kind, detect, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = detect("a.md", &mut std::io::Cursor::new(bytes));
    let _ = extract(Kind::Md, bytes);
});
