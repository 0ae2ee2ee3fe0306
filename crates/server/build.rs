//! Says where the web app to embed lies: `web/dist` if it was built, else a page that says how to build it, so that
//! Rust alone compiles and tests the server.

use std::{env, error::Error, fs, path::PathBuf};

const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>AI-Across</title></head>
<body><h1>AI-Across</h1><p>This server was built without its web app. Start it with <code>cargo xtask run</code>, which
builds both. The interface for programs is at <a href="/docs">/docs</a>.</p></body>
</html>
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dist = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?).join("../../web/dist");
    // A path that does not exist would make every build start anew, so the directory is made for the web app to appear in.
    drop(fs::create_dir_all(&dist));
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    let app = if dist.join("index.html").is_file() {
        dist.canonicalize()?
    } else {
        let placeholder = PathBuf::from(env::var_os("OUT_DIR").ok_or("not run by cargo")?).join("spa");
        fs::create_dir_all(&placeholder)?;
        fs::write(placeholder.join("index.html"), PLACEHOLDER)?;
        placeholder
    };
    println!("cargo:rustc-env=ACROSS_SPA_DIR={}", app.display());
    Ok(())
}
