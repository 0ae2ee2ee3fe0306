//! The configuration as text: what is in effect, and the example file.

use std::fmt::Write as _;

use url::Url;

use super::{
    Loaded, SECRET_FILE_NAME,
    layers::Source,
    settings::{SETTINGS, Setting, Shown},
};

/// What stands in place of a secret. Taken for a value it would be refused.
const MASK: &str = "********";

/// The effective configuration as TOML, each value with its source, secrets masked.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let mut out = String::new();
    for setting in SETTINGS {
        let (text, source) = loaded
            .layers
            .text(setting.key)
            .unwrap_or((setting.default, &Source::Default));
        let line = if !text.is_empty() {
            format!(
                "{} = {}  # {source}",
                setting.key,
                literal(setting, &shown(setting, text))
            )
        } else if setting.key == "secret_key" {
            let path = loaded.config.data_dir.join(SECRET_FILE_NAME);
            let verb = if path.exists() { "kept" } else { "will be made" };
            format!("# secret_key is {verb} in {}", path.display())
        } else {
            format!("# {} is not set", setting.key)
        };
        out.push_str(&line.replace(['\n', '\r'], " "));
        out.push('\n');
    }
    out
}

/// A configuration file with every setting, its default and its description.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# AI-Across: every setting with its default. Copy this file to ai-across.toml in the data directory, or give it \
         with\n# --config, and remove the # before what you change. Variables of the environment go before this file.\n",
    );
    for setting in SETTINGS {
        // Writing to a text cannot fail.
        let _ = writeln!(out);
        for line in wrap(setting.about.trim()) {
            let _ = writeln!(out, "# {line}");
        }
        let _ = writeln!(out, "# Environment: {}", setting.variable);
        let _ = writeln!(out, "#{} = {}", setting.key, literal(setting, setting.default));
    }
    out
}

fn shown(setting: &Setting, text: &str) -> String {
    match setting.shown {
        Shown::Plain => text.to_owned(),
        Shown::Masked => MASK.to_owned(),
        Shown::Address => match Url::parse(text) {
            Ok(mut url) if url.password().is_some() => {
                // An address with a password has a host, so this cannot fail; if it did, nothing would be shown.
                if url.set_password(Some(MASK)).is_ok() {
                    url.to_string()
                } else {
                    MASK.to_owned()
                }
            }
            _ => text.to_owned(),
        },
    }
}

/// The value as TOML: numbers and truth values bare, everything else as a text.
fn literal(setting: &Setting, text: &str) -> String {
    let bare = setting.shown == Shown::Plain && (text.parse::<u64>().is_ok() || matches!(text, "true" | "false"));
    if bare {
        text.to_owned()
    } else {
        toml::Value::from(text).to_string()
    }
}

/// The text in lines of at most a hundred characters.
fn wrap(text: &str) -> Vec<String> {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
