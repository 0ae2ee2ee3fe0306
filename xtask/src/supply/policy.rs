//! `deny.toml` as we judge by it: the one list of licences, bans and sources, for crates and for npm packages alike.

use anyhow::{Context, Result, anyhow};
use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

/// What may come in.
pub struct Policy {
    licences: Vec<Licensee>,
    /// Further licences of packages that are named one by one.
    named: Vec<(String, Vec<Licensee>)>,
    /// Crates that may not come in, with the reason.
    pub banned: Vec<(String, String)>,
    /// Crates of which there is one version.
    pub single: Vec<String>,
    /// Registries that crates may come from.
    pub registries: Vec<String>,
}

impl Policy {
    /// Reads the text of `deny.toml`.
    ///
    /// # Errors
    /// When it is not of the shape that cargo-deny reads, or names a licence that does not exist.
    pub fn read(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let part = |name: &str| {
            let part = table.get(name).and_then(Value::as_table);
            part.with_context(|| format!("there is no [{name}]"))
        };
        let (licences, bans, sources) = (part("licenses")?, part("bans")?, part("sources")?);
        let mut policy = Self {
            licences: licensees(licences)?,
            named: Vec::new(),
            banned: Vec::new(),
            single: Vec::new(),
            registries: words(sources, "allow-registry"),
        };
        for exception in tables(licences, "exceptions") {
            policy.named.push((word(exception, "crate")?, licensees(exception)?));
        }
        for ban in tables(bans, "deny") {
            let name = word(ban, "crate")?;
            if ban.get("deny-multiple-versions").and_then(Value::as_bool) == Some(true) {
                policy.single.push(name);
            } else {
                policy.banned.push((name, word(ban, "reason")?));
            }
        }
        Ok(policy)
    }

    /// Says why a package may not come in under the licence that it states.
    ///
    /// # Errors
    /// When it states none, one that is no SPDX expression, or one that is not allowed.
    pub fn licence(&self, name: &str, stated: Option<&str>) -> Result<(), String> {
        let stated = stated.ok_or("it states no licence")?;
        let expression = Expression::parse_mode(stated, ParseMode::LAX)
            .map_err(|_| format!("`{stated}` is no expression of licences that are known"))?;
        let named = self.named.iter().filter(|(package, _)| package == name);
        let further: Vec<&Licensee> = named.flat_map(|(_, licences)| licences).collect();
        let allowed = expression.evaluate(|asked| {
            let mut licences = self.licences.iter().chain(further.iter().copied());
            licences.any(|licence| licence.satisfies(asked))
        });
        if allowed {
            return Ok(());
        }
        Err(format!(
            "`{stated}` is not allowed: use something else, or decide for it in deny.toml"
        ))
    }
}

fn licensees(table: &Table) -> Result<Vec<Licensee>> {
    let parse = |name: &String| Licensee::parse(name).map_err(|error| anyhow!("{name}: {error}"));
    words(table, "allow").iter().map(parse).collect()
}

fn words(table: &Table, key: &str) -> Vec<String> {
    let values = table.get(key).and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn word(table: &Table, key: &str) -> Result<String> {
    let word = table.get(key).and_then(Value::as_str);
    Ok(word
        .with_context(|| format!("an entry has no `{key}`: {table}"))?
        .to_owned())
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let values = table.get(key).and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_table)
}

#[cfg(test)]
pub mod tests {
    use super::Policy;

    /// A small policy of the same shape as the real one.
    pub const TEXT: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "weak", allow = ["MPL-2.0"] }]
        [bans]
        deny = [
          { crate = "openssl", reason = "TLS is rustls" },
          { crate = "tokio", deny-multiple-versions = true },
        ]
        [sources]
        allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    fn allowed(name: &str, licence: &str) -> bool {
        Policy::read(TEXT).unwrap().licence(name, Some(licence)).is_ok()
    }

    #[test]
    fn a_gpl_licence_is_refused() {
        for licence in ["GPL-3.0", "GPL-3.0-or-later", "AGPL-3.0-only", "MIT AND GPL-2.0"] {
            assert!(!allowed("x", licence), "{licence}");
        }
    }

    #[test]
    fn a_choice_that_offers_an_allowed_licence_passes() {
        for licence in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed("x", licence), "{licence}");
        }
    }

    #[test]
    fn no_licence_and_none_that_is_known_are_refused() {
        let policy = Policy::read(TEXT).unwrap();
        assert!(policy.licence("x", None).unwrap_err().contains("no licence"));
        for licence in ["", "UNLICENSED", "SEE LICENSE IN LICENSE.txt"] {
            assert!(policy.licence("x", Some(licence)).is_err(), "{licence}");
        }
    }

    #[test]
    fn an_exception_is_for_the_named_package_alone() {
        assert!(allowed("weak", "MPL-2.0"));
        assert!(!allowed("other", "MPL-2.0"));
    }

    #[test]
    fn a_policy_without_its_parts_is_no_policy() {
        assert!(Policy::read("").is_err());
        assert!(Policy::read(&TEXT.replace("\"MIT\"", "\"MITT\"")).is_err());
        assert!(Policy::read(&TEXT.replace("reason", "because")).is_err());
    }
}
