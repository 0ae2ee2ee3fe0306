//! How much JavaScript a browser loads before anybody is signed in, compressed; the web app's own `npm run size` judges it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::paths;

/// Bytes of JavaScript, gzip, that the sign-in page needs: the entry, the page's own chunk, and what both import.
///
/// # Errors
/// When the web app was not built or its manifest has another shape.
pub fn before_login() -> Result<u64> {
    let dist = paths::web().join("dist");
    let path = dist.join(".vite/manifest.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("no {}: build the web app first", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).context("Vite's manifest is not JSON")?;
    chunks(&manifest)?.iter().map(|file| compressed(&dist.join(file))).sum()
}

fn chunks(manifest: &Value) -> Result<BTreeSet<String>> {
    let entries = manifest.as_object().context("Vite's manifest is not an object")?;
    let wanted = |key: &str, chunk: &Value| {
        let stem = Path::new(key).file_stem().and_then(|stem| stem.to_str());
        chunk["isEntry"] == true || (chunk["isDynamicEntry"] == true && matches!(stem, Some("sign-in" | "login")))
    };
    let mut queue: Vec<&str> = entries
        .iter()
        .filter(|(key, chunk)| wanted(key, chunk))
        .map(|(key, _)| &**key)
        .collect();
    if queue.is_empty() {
        bail!("Vite's manifest names no entry");
    }
    let (mut seen, mut files) = (BTreeSet::new(), BTreeSet::new());
    while let Some(key) = queue.pop() {
        if !seen.insert(key) {
            continue;
        }
        let chunk = entries
            .get(key)
            .with_context(|| format!("Vite's manifest lacks the chunk {key}"))?;
        files.extend(
            chunk["file"]
                .as_str()
                .filter(|file| file.ends_with(".js"))
                .map(str::to_owned),
        );
        queue.extend(
            chunk["imports"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str),
        );
    }
    Ok(files)
}

fn compressed(file: &Path) -> Result<u64> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    Ok(gzip.finish()?.len() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::chunks;

    #[test]
    fn entry_and_sign_in_page_with_all_they_import_and_nothing_lazy() {
        let manifest = json!({
            "index.html": {"file": "index.js", "isEntry": true, "imports": ["_shared.js"], "dynamicImports": ["src/chat.tsx"]},
            "_shared.js": {"file": "shared.js", "imports": ["_deep.js"]},
            "_deep.js": {"file": "deep.js", "imports": ["_shared.js"]},
            "_form.js": {"file": "form.js"},
            "src/app/pages/sign-in.tsx": {"file": "sign-in.js", "isDynamicEntry": true, "imports": ["_form.js", "index.html"]},
            "src/chat.tsx": {"file": "chat.js", "isDynamicEntry": true},
            "src/fonts.css": {"file": "fonts.css", "isEntry": true}
        });
        let files: Vec<String> = chunks(&manifest).unwrap().into_iter().collect();
        assert_eq!(files, ["deep.js", "form.js", "index.js", "shared.js", "sign-in.js"]);
    }

    #[test]
    fn a_manifest_without_entry_or_with_a_missing_chunk_is_refused() {
        assert!(chunks(&json!({})).is_err());
        assert!(chunks(&json!({"index.html": {"file": "i.js", "isEntry": true, "imports": ["_gone.js"]}})).is_err());
    }
}
