//! The packages of the web app's lock file: in step with package.json, each with its hash, from the registry alone.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::policy::Policy;
use super::{Finding, Package, Registry, identity};
use crate::stamp;

/// The lock file as it is judged.
pub struct Lock {
    /// What it names.
    pub packages: Vec<Package>,
    /// What is wrong with the file itself.
    findings: Vec<Finding>,
}

impl Lock {
    /// Reads the lock file and package.json of a folder.
    ///
    /// # Errors
    /// When one of them is missing or has another shape.
    pub fn read(folder: &Path) -> Result<Self> {
        let json = |name: &str| {
            let path = folder.join(name);
            serde_json::from_str(&super::text(&path)?).with_context(|| format!("{} is not JSON", path.display()))
        };
        Self::of(&json("package-lock.json")?, &json("package.json")?)
    }

    fn of(lock: &Value, manifest: &Value) -> Result<Self> {
        let listed = lock["packages"]
            .as_object()
            .context("package-lock.json has no `packages`")?;
        let mut findings = Vec::new();
        for kind in ["dependencies", "devDependencies", "optionalDependencies"] {
            if lock["packages"][""][kind] != manifest[kind] {
                let message = format!("{kind} differ from package.json: run npm install and commit it");
                findings.push(Finding::new("package-lock.json", message));
            }
        }
        let mut packages: HashMap<String, Package> = HashMap::new();
        for (path, entry) in listed.iter().filter(|(path, _)| !path.is_empty()) {
            let package = package(listed, path, entry);
            if let Err(message) = origin(entry, package.checksum.is_some()) {
                findings.push(Finding::new(format!("source of {}", package.name), message));
            }
            // The same version may lie in several folders; it is shipped if one of them is.
            let known = packages.entry(package.identity()).or_insert_with(|| package.clone());
            known.shipped |= package.shipped;
        }
        let mut packages: Vec<Package> = packages.into_values().collect();
        packages.sort_by_key(Package::identity);
        Ok(Self { packages, findings })
    }

    /// What is wrong with the lock file, and what the policy refuses.
    pub fn judge(&self, policy: &Policy) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        for package in &self.packages {
            if let Err(message) = policy.licence(&package.name, package.licence.as_deref()) {
                let message = format!("{}: {message}", package.version);
                findings.push(Finding::new(format!("licence of {}", package.name), message));
            }
        }
        findings
    }
}

fn package(listed: &Map<String, Value>, path: &str, entry: &Value) -> Package {
    let word = |key: &str| entry[key].as_str().map(str::to_owned);
    let wanted = ["dependencies", "optionalDependencies"].map(|kind| entry[kind].as_object());
    let names = wanted.into_iter().flatten().flat_map(Map::keys);
    let mut depends: Vec<String> = names.filter_map(|name| resolve(listed, path, name)).collect();
    depends.sort();
    depends.dedup();
    Package {
        registry: Registry::Npm,
        name: name(path).to_owned(),
        version: word("version").unwrap_or_default(),
        licence: word("license"),
        checksum: word("integrity").and_then(|text| checksum(&text)),
        shipped: entry["dev"] != true && entry["devOptional"] != true,
        depends,
    }
}

/// The name in `node_modules/a/node_modules/@scope/name`.
fn name(path: &str) -> &str {
    path.rsplit_once("node_modules/").map_or(path, |(_, name)| name)
}

/// As Node looks for a package: in the folder of the one that asks, then in those above.
fn resolve(listed: &Map<String, Value>, from: &str, wanted: &str) -> Option<String> {
    let mut folder = Some(from);
    loop {
        let above = folder.unwrap_or_default();
        let separator = if above.is_empty() { "" } else { "/" };
        let place = format!("{above}{separator}node_modules/{wanted}");
        if let Some(version) = listed.get(&place).and_then(|entry| entry["version"].as_str()) {
            return Some(identity(Registry::Npm, wanted, version));
        }
        if above.is_empty() {
            return None;
        }
        folder = above.rsplit_once("/node_modules/").map(|(parent, _)| parent);
    }
}

fn checksum(integrity: &str) -> Option<(&'static str, String)> {
    let digest = integrity.strip_prefix("sha512-")?;
    let bytes = STANDARD.decode(digest).ok().filter(|bytes| bytes.len() == 64)?;
    Some(("SHA-512", stamp::hex(&bytes)))
}

fn origin(entry: &Value, checksum: bool) -> Result<(), String> {
    if entry["link"] == true {
        return Err("it is a link to a folder: take a released version".to_owned());
    }
    // What comes from the registry has no address here, as `web/.npmrc` wants it.
    if let Some(place) = entry["resolved"].as_str() {
        return Err(format!("it is taken from {place}: take a released version"));
    }
    // A bundled package lies in the archive of the one that bundles it, under that one's hash.
    if !checksum && entry["inBundle"] != true {
        return Err("package-lock.json has no SHA-512 for it".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Lock;
    use crate::supply::policy::{Policy, tests::TEXT};

    fn hash() -> String {
        format!("sha512-{}==", "A".repeat(86))
    }

    fn lock(path: &str, entry: &Value) -> Lock {
        let mut entry = entry.clone();
        entry["version"] = "1.0.0".into();
        let manifest = json!({"dependencies": {"a": "1.0.0"}});
        Lock::of(&json!({"packages": {"": manifest.clone(), path: entry}}), &manifest).unwrap()
    }

    fn refused(entry: &Value) -> Vec<String> {
        let findings = lock("node_modules/@s/a", entry).judge(&Policy::read(TEXT).unwrap());
        findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.key, finding.message))
            .collect()
    }

    #[test]
    fn s70_a_package_with_hash_and_allowed_licence_passes() {
        assert!(refused(&json!({"license": "MIT", "integrity": hash()})).is_empty());
        assert!(refused(&json!({"license": "MIT", "inBundle": true})).is_empty());
    }

    #[test]
    fn s70_gpl_missing_hashes_and_other_sources_are_refused() {
        let of = |entry: Value| refused(&entry).join("\n");
        assert!(
            of(json!({"license": "GPL-3.0", "integrity": hash()})).starts_with("licence of @s/a: 1.0.0: `GPL-3.0`")
        );
        assert!(of(json!({"license": "MIT"})).contains("no SHA-512"));
        assert!(of(json!({"license": "MIT", "integrity": "sha1-AAAA"})).contains("no SHA-512"));
        let elsewhere =
            |place: &str| of(json!({"license": "MIT", "integrity": hash(), "resolved": place})).contains(place);
        assert!(elsewhere("git+ssh://git@example.com/a.git#1") && elsewhere("https://example.com/a.tgz"));
        assert!(of(json!({"license": "MIT", "link": true})).contains("a link"));
    }

    #[test]
    fn s70_a_lock_file_out_of_step_is_told() {
        let lock = json!({"packages": {"": {"dependencies": {"a": "1.0.0"}}}});
        let found = Lock::of(&lock, &json!({"dependencies": {"a": "1.0.1"}})).unwrap();
        assert!(
            found.findings[0].message.contains("differ from package.json"),
            "{:?}",
            found.findings
        );
    }

    #[test]
    fn dependencies_are_found_as_node_finds_them() {
        let entry = |version: &str| json!({"version": version, "license": "MIT", "integrity": hash(), "dev": true});
        let mut asking = entry("1.0.0");
        asking["dependencies"] = json!({"b": "*", "c": "*", "gone": "*"});
        let packages = json!({"": {}, "node_modules/a": asking, "node_modules/a/node_modules/b": entry("2.0.0"),
                              "node_modules/b": entry("1.0.0"), "node_modules/c": entry("3.0.0")});
        let lock = Lock::of(&json!({"packages": packages}), &json!({})).unwrap();
        assert_eq!(lock.packages[0].depends, ["pkg:npm/b@2.0.0", "pkg:npm/c@3.0.0"]);
        assert!(!lock.packages[0].shipped);
    }
}
