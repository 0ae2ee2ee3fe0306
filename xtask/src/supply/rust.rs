//! The crates of Cargo.lock: where they come from, which are refused, and our own without unsafe code.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use toml::Table;

use super::policy::Policy;
use super::{Finding, Package, Registry, identity};
use crate::process;

/// The crate whose program is shipped.
const PROGRAM: &str = "across-server";

/// A crate with what only crates have.
#[derive(Clone, Debug)]
pub struct Crate {
    /// What it shares with packages of npm.
    pub package: Package,
    /// Where Cargo takes it from; nowhere for a crate on disk.
    pub source: Option<String>,
    /// Whether it is one of ours.
    pub own: bool,
}

/// All crates of Cargo.lock, for every platform.
///
/// # Errors
/// When Cargo.lock is not in step with the manifests.
pub fn read(root: &Path) -> Result<Vec<Crate>> {
    let output = process::capture(process::cargo().args(["metadata", "--locked", "--format-version=1"]));
    let output = output.context("Cargo.lock is not in step with the manifests: run `cargo metadata` and commit it")?;
    let metadata = serde_json::from_str(&output).context("`cargo metadata` printed no JSON")?;
    crates(&metadata, &super::table(&root.join("Cargo.lock"))?)
}

fn crates(metadata: &Value, lock: &Table) -> Result<Vec<Crate>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let members: HashSet<String> = list(&metadata["workspace_members"]).iter().map(word).collect();
    let checksums = checksums(lock);
    let packages = list(&metadata["packages"]);
    let identities: HashMap<String, String> = packages
        .iter()
        .map(|package| {
            let (name, version) = (word(&package["name"]), word(&package["version"]));
            (word(&package["id"]), identity(Registry::Cargo, &name, &version))
        })
        .collect();
    let nodes: HashMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (word(&node["id"]), node))
        .collect();
    let shipped = shipped(&packages, &nodes);
    let mut found = Vec::with_capacity(packages.len());
    for package in &packages {
        let (id, name, version) = (word(&package["id"]), word(&package["name"]), word(&package["version"]));
        let node = nodes
            .get(&id)
            .with_context(|| format!("`cargo metadata` does not resolve {id}"))?;
        let depends = list(&node["dependencies"]);
        let mut depends: Vec<String> = depends
            .iter()
            .filter_map(|id| identities.get(&word(id)).cloned())
            .collect();
        depends.sort();
        depends.dedup();
        let checksum = checksums.get(&(name.clone(), version.clone())).cloned();
        found.push(Crate {
            source: package["source"].as_str().map(str::to_owned),
            own: members.contains(&id),
            package: Package {
                registry: Registry::Cargo,
                licence: package["license"].as_str().map(str::to_owned),
                checksum: checksum.map(|digits| ("SHA-256", digits)),
                shipped: shipped.contains(&id),
                name,
                version,
                depends,
            },
        });
    }
    Ok(found)
}

/// What the program is linked from: its normal dependencies and theirs, but no macros, which only run while it is built.
fn shipped(packages: &[Value], nodes: &HashMap<String, Value>) -> HashSet<String> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_macro = |package: &Value| {
        let targets = package["targets"].as_array().into_iter().flatten();
        let mut kinds = targets.filter_map(|target| target["kind"].as_array()).flatten();
        kinds.any(|kind| kind == "proc-macro")
    };
    let macros: HashSet<String> = packages
        .iter()
        .filter(|package| is_macro(package))
        .map(|package| word(&package["id"]))
        .collect();
    let program = packages.iter().find(|package| package["name"] == PROGRAM);
    let mut open: Vec<String> = program.map(|package| word(&package["id"])).into_iter().collect();
    let mut reached = HashSet::new();
    while let Some(id) = open.pop() {
        if macros.contains(&id) || !reached.insert(id.clone()) {
            continue;
        }
        let dependencies = nodes.get(&id).and_then(|node| node["deps"].as_array());
        for dependency in dependencies.into_iter().flatten() {
            let kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.into_iter().any(|kind| kind["kind"].is_null()) {
                open.push(word(&dependency["pkg"]));
            }
        }
    }
    reached
}

fn checksums(lock: &Table) -> HashMap<(String, String), String> {
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    let entry = |package: &toml::Value| {
        let word = |key: &str| Some(package.get(key)?.as_str()?.to_owned());
        Some(((word("name")?, word("version")?), word("checksum")?))
    };
    packages.filter_map(entry).collect()
}

/// What the policy refuses.
pub fn judge(crates: &[Crate], policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Crate { package, source, own } in crates {
        let Package { name, version, .. } = package;
        versions.entry(name).or_default().push(version);
        if let Err(message) = origin(source.as_deref(), *own, package.checksum.is_some(), policy) {
            findings.push(Finding::new(
                format!("source of {name}"),
                format!("{version}: {message}"),
            ));
        }
        if let Err(message) = policy.licence(name, package.licence.as_deref()) {
            findings.push(Finding::new(
                format!("licence of {name}"),
                format!("{version}: {message}"),
            ));
        }
        if let Some((_, reason)) = policy.banned.iter().find(|(banned, _)| banned == name) {
            let message = format!("{reason}; `cargo tree --invert {name}` tells who brings it in");
            findings.push(Finding::new(format!("ban of {name}"), message));
        }
    }
    for name in &policy.single {
        if let Some(several) = versions.get(name.as_str()).filter(|several| several.len() > 1) {
            let message = format!(
                "{} stand side by side: bring those who use it to one",
                several.join(" and ")
            );
            findings.push(Finding::new(format!("versions of {name}"), message));
        }
    }
    findings
}

fn origin(source: Option<&str>, own: bool, checksum: bool, policy: &Policy) -> Result<(), String> {
    let Some(source) = source else {
        let foreign = "it is taken from a folder outside the workspace: take a released version";
        return if own { Ok(()) } else { Err(foreign.to_owned()) };
    };
    let registry = source
        .strip_prefix("registry+")
        .or_else(|| source.strip_prefix("sparse+"));
    match registry {
        None => Err(format!("it is taken from {source}: take a released version")),
        Some(registry) if !policy.registries.iter().any(|allowed| allowed == registry) => Err(format!(
            "it is taken from the registry {registry}, which is not allowed"
        )),
        Some(_) if !checksum => Err("Cargo.lock has no checksum for it".to_owned()),
        Some(_) => Ok(()),
    }
}

/// The manifests of the repository: the workspace's first, then those of its crates.
///
/// # Errors
/// When one cannot be read.
pub fn manifests(root: &Path) -> Result<Vec<(String, Table)>> {
    let mut found = vec![("Cargo.toml".to_owned(), super::table(&root.join("Cargo.toml"))?)];
    for path in crate::paths::files(root)? {
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        if name.ends_with("/Cargo.toml") {
            found.push((name, super::table(&path)?));
        }
    }
    Ok(found)
}

/// Our own crates that the compiler would let have unsafe code. A crate with a workspace of its own is not one of them: it is
/// the fuzzer's, whose entry point cannot be written otherwise, and nothing of it is shipped.
pub fn unsafe_code(manifests: &[(String, Table)]) -> Vec<Finding> {
    let lacks = |(name, manifest): &(String, Table)| {
        if name != "Cargo.toml" && manifest.contains_key("workspace") {
            return false;
        }
        let lints = manifest.get("lints");
        let forbidden = if name == "Cargo.toml" {
            let lints = manifest.get("workspace").and_then(|workspace| workspace.get("lints"));
            let level = lints.and_then(|lints| lints.get("rust")?.get("unsafe_code"));
            level.and_then(toml::Value::as_str) == Some("forbid")
        } else {
            lints
                .and_then(|lints| lints.get("workspace"))
                .and_then(toml::Value::as_bool)
                == Some(true)
        };
        !forbidden
    };
    let message = "unsafe code is not forbidden: `unsafe_code = \"forbid\"` in [workspace.lints.rust], \
                   and `workspace = true` in every crate's [lints]";
    let lacking = manifests.iter().filter(|manifest| lacks(manifest));
    lacking
        .map(|(name, _)| Finding::new(format!("unsafe code in {name}"), message))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Crate, crates, judge, unsafe_code};
    use crate::supply::policy::{Policy, tests::TEXT};

    const INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn package(name: &str, version: &str, licence: &str, source: Option<&str>, kind: &str) -> Value {
        json!({"id": format!("{name}@{version}"), "name": name, "version": version, "license": licence,
               "source": source, "targets": [{"kind": [kind]}]})
    }

    /// `across-server` that depends on all of these crates, each with a checksum.
    fn tree(packages: Vec<Value>) -> Vec<Crate> {
        let ids: Vec<Value> = packages.iter().map(|package| package["id"].clone()).collect();
        let dependency = |id: &Value| json!({"pkg": id, "dep_kinds": [{"kind": null}]});
        let deps: Vec<Value> = ids.iter().map(dependency).collect();
        let mut nodes: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "dependencies": [], "deps": []}))
            .collect();
        nodes.push(json!({"id": "across-server@1.0.0", "dependencies": ids, "deps": deps}));
        let mut lock = String::new();
        for package in &packages {
            let (name, version) = (&package["name"], &package["version"]);
            lock += &format!("[[package]]\nname = {name}\nversion = {version}\nchecksum = \"00\"\n");
        }
        let mut all = packages;
        all.push(package("across-server", "1.0.0", "MIT", None, "lib"));
        let metadata =
            json!({"packages": all, "workspace_members": ["across-server@1.0.0"], "resolve": {"nodes": nodes}});
        crates(&metadata, &lock.parse().unwrap()).unwrap()
    }

    fn refused(packages: Vec<Value>) -> Vec<String> {
        let findings = judge(&tree(packages), &Policy::read(TEXT).unwrap());
        findings.into_iter().map(|finding| finding.key).collect()
    }

    #[test]
    fn s70_crates_of_the_registry_with_an_allowed_licence_pass() {
        let none: [&str; 0] = [];
        assert_eq!(
            refused(vec![package("serde", "1.0.0", "MIT", Some(INDEX), "lib")]),
            none
        );
    }

    #[test]
    fn s70_a_gpl_crate_is_refused() {
        let found = refused(vec![package("viral", "1.0.0", "GPL-3.0-only", Some(INDEX), "lib")]);
        assert_eq!(found, ["licence of viral"]);
    }

    #[test]
    fn s70_a_git_source_a_foreign_registry_and_a_foreign_folder_are_refused() {
        for source in [
            Some("git+https://example.com/x?rev=1#1"),
            Some("registry+https://example.com/index"),
            None,
        ] {
            assert_eq!(
                refused(vec![package("x", "1.0.0", "MIT", source, "lib")]),
                ["source of x"]
            );
        }
    }

    #[test]
    fn s70_a_crate_without_a_checksum_is_refused() {
        let mut crates = tree(vec![package("x", "1.0.0", "MIT", Some(INDEX), "lib")]);
        crates[0].package.checksum = None;
        assert_eq!(
            judge(&crates, &Policy::read(TEXT).unwrap())[0].message,
            "1.0.0: Cargo.lock has no checksum for it"
        );
    }

    #[test]
    fn s70_banned_crates_and_second_versions_of_the_big_ones_are_refused() {
        let openssl = package("openssl", "0.10.0", "MIT", Some(INDEX), "lib");
        assert_eq!(refused(vec![openssl]), ["ban of openssl"]);
        let twice = |name: &str| ["1.0.0", "2.0.0"].map(|version| package(name, version, "MIT", Some(INDEX), "lib"));
        assert_eq!(refused(twice("tokio").into()), ["versions of tokio"]);
        assert!(refused(twice("syn").into()).is_empty());
    }

    #[test]
    fn what_is_linked_is_shipped_and_macros_are_not() {
        let crates = tree(vec![
            package("linked", "1.0.0", "MIT", Some(INDEX), "lib"),
            package("macros", "1.0.0", "MIT", Some(INDEX), "proc-macro"),
        ]);
        let shipped: Vec<bool> = crates.iter().map(|found| found.package.shipped).collect();
        assert_eq!(shipped, [true, false, true]);
        assert_eq!(
            crates[2].package.depends,
            ["pkg:cargo/linked@1.0.0", "pkg:cargo/macros@1.0.0"]
        );
    }

    #[test]
    fn s70_a_crate_that_may_have_unsafe_code_is_told() {
        let found = |root: &str, member: &str| {
            let manifests = [("Cargo.toml", root), ("crates/a/Cargo.toml", member)];
            let manifests = manifests.map(|(name, text)| (name.to_owned(), text.parse().unwrap()));
            unsafe_code(&manifests)
                .into_iter()
                .map(|finding| finding.key)
                .collect::<Vec<_>>()
        };
        let (root, member) = (
            "[workspace.lints.rust]\nunsafe_code = \"forbid\"",
            "[lints]\nworkspace = true",
        );
        assert!(found(root, member).is_empty());
        assert_eq!(found(root, ""), ["unsafe code in crates/a/Cargo.toml"]);
        assert_eq!(
            found(&root.replace("forbid", "deny"), member),
            ["unsafe code in Cargo.toml"]
        );
    }
}
