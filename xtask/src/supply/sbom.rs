//! The bill of materials: everything we build on, in CycloneDX's form, at target/sbom/ai-across.cdx.json.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spdx::{Expression, ParseMode};

use super::{Package, Registry, Skipped};
use crate::{console, paths, process, python, stamp};

/// The version of CycloneDX.
const VERSION: &str = "1.6";
/// The crate that everything else is a part of.
const PROGRAM: &str = "across-server";
/// The embedder's model, which lies in the repository and inside the program.
const MODEL: &str = "all-MiniLM-L6-v2.int8.onnx";

/// Writes the bill and compares it with the published shape, where the tool for that can be had.
///
/// # Errors
/// When it cannot be written, or is not of that shape.
pub fn write(packages: &[Package]) -> Result<Vec<Skipped>> {
    let model = paths::root().join("assets/embedding").join(MODEL);
    let model = std::fs::read(&model).with_context(|| format!("cannot read {}", model.display()))?;
    let bill = bill(packages, &stamp::hex(&Sha256::digest(&model)))?;
    let folder = paths::target()?.join("sbom");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("ai-across.cdx.json");
    std::fs::write(&path, format!("{bill:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    let shipped = packages.iter().filter(|package| package.shipped).count();
    console::say(&format!(
        "wrote {}: {} crates and packages, {shipped} of them shipped",
        path.display(),
        packages.len()
    ));
    match python::pinned("supply") {
        Ok(programs) => validate(&programs, &path).map(|()| Vec::new()),
        Err(error) => Ok(vec![Skipped {
            what: "the shape of the bill of materials",
            reason: format!("{error:#}"),
        }]),
    }
}

fn validate(programs: &Path, bill: &Path) -> Result<()> {
    let script = paths::root().join("xtask/python/validate_bom.py");
    process::run(
        process::command(programs.join("python"))
            .arg(script)
            .arg(bill)
            .arg(VERSION),
    )
}

/// The same packages give the same bill: it names no time and no machine.
fn bill(packages: &[Package], model: &str) -> Result<Value> {
    let program = packages.iter().find(|package| package.name == PROGRAM);
    let program = program.with_context(|| format!("no crate is called {PROGRAM}"))?;
    let model_identity = format!("pkg:generic/{MODEL}");
    let others = packages
        .iter()
        .filter(|package| package.identity() != program.identity());
    let mut components: Vec<Value> = others.map(component).collect();
    components.push(json!({
        "type": "machine-learning-model", "bom-ref": model_identity, "name": MODEL, "scope": "required",
        "description": "The built-in embedder", "licenses": [{"license": {"id": "Apache-2.0"}}],
        "hashes": [{"alg": "SHA-256", "content": model}],
    }));
    // The web app lies inside the program, and so does all of npm that is shipped, and the model.
    let web = packages
        .iter()
        .filter(|package| package.registry == Registry::Npm && package.shipped);
    let inside: Vec<String> = web.map(Package::identity).chain([model_identity]).collect();
    let edges = packages.iter().map(|package| {
        let mut depends = package.depends.clone();
        if package.identity() == program.identity() {
            depends.extend(inside.iter().cloned());
        }
        json!({"ref": package.identity(), "dependsOn": depends})
    });
    Ok(json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{VERSION}.schema.json"),
        "bomFormat": "CycloneDX", "specVersion": VERSION, "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": program.identity(), "name": "ai-across", "version": program.version,
            "licenses": licences(program.licence.as_deref()),
        }},
        "components": components,
        "dependencies": edges.collect::<Vec<_>>(),
    }))
}

fn component(package: &Package) -> Value {
    let scope = if package.shipped { "required" } else { "excluded" };
    let mut component = json!({
        "type": "library", "bom-ref": package.identity(), "purl": package.identity(), "name": package.name,
        "version": package.version, "scope": scope, "licenses": licences(package.licence.as_deref()),
    });
    if let Some((algorithm, digits)) = &package.checksum {
        component["hashes"] = json!([{"alg": algorithm, "content": digits}]);
    }
    component
}

/// The licence as one expression, with old spellings such as `MIT/Apache-2.0` in today's.
fn licences(stated: Option<&str>) -> Value {
    let Some(stated) = stated else { return json!([]) };
    let canonical = Expression::canonicalize(stated).ok().flatten();
    let text = canonical.as_deref().unwrap_or(stated);
    match Expression::parse_mode(text, ParseMode::LAX) {
        Ok(_) => json!([{"expression": text}]),
        Err(_) => json!([{"license": {"name": stated}}]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bill, licences};
    use crate::supply::{Package, Registry};

    fn package(registry: Registry, name: &str, shipped: bool) -> Package {
        Package {
            registry,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: Some("MIT/Apache-2.0".to_owned()),
            checksum: Some(("SHA-256", "00".repeat(32))),
            shipped,
            depends: Vec::new(),
        }
    }

    #[test]
    fn s70_the_bill_names_every_package_with_hash_and_licence_and_what_is_shipped() {
        let mut program = package(Registry::Cargo, "across-server", true);
        program.depends = vec!["pkg:cargo/serde@1.0.0".to_owned()];
        let packages = [
            program,
            package(Registry::Cargo, "serde", true),
            package(Registry::Npm, "@s/react", true),
            package(Registry::Npm, "vite", false),
        ];
        let bill = bill(&packages, &"11".repeat(32)).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "ai-across");
        let names: Vec<_> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| (component["name"].clone(), component["scope"].clone()))
            .collect();
        let expected = [
            ("serde", "required"),
            ("@s/react", "required"),
            ("vite", "excluded"),
            ("all-MiniLM-L6-v2.int8.onnx", "required"),
        ];
        assert_eq!(names, expected.map(|(name, scope)| (json!(name), json!(scope))));
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "00".repeat(32));
        assert_eq!(
            bill["dependencies"][0]["dependsOn"],
            json!([
                "pkg:cargo/serde@1.0.0",
                "pkg:npm/%40s/react@1.0.0",
                "pkg:generic/all-MiniLM-L6-v2.int8.onnx"
            ])
        );
    }

    #[test]
    fn old_spellings_of_licences_are_written_in_todays() {
        assert_eq!(
            licences(Some("MIT/Apache-2.0")),
            json!([{"expression": "MIT OR Apache-2.0"}])
        );
        assert_eq!(licences(Some("Ask us")), json!([{"license": {"name": "Ask us"}}]));
        assert_eq!(licences(None), json!([]));
    }
}
