//! Where values come from: the defaults, the file, the environment, the arguments; and what is wrong with them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    FILE_NAME, Problem,
    settings::{SETTINGS, Setting},
};

/// How every variable begins that is ours.
const PREFIX: &str = "AI_ACROSS_";
/// How similar an unknown name must be to a known one for that to be proposed.
const SIMILAR: f64 = 0.8;

/// What was given on the command line.
#[derive(Debug, Default, Clone)]
pub struct Arguments {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Overrides `listen`.
    pub listen: Option<String>,
    /// Overrides `data_dir`.
    pub data_dir: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file at this path.
    File(PathBuf),
    /// The environment.
    Environment,
    /// The command line.
    Argument,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::Argument => f.write_str("argument"),
        }
    }
}

/// The given values, the last layer's of each, and the problems found so far.
#[derive(Default)]
pub(super) struct Layers {
    given: BTreeMap<&'static str, (String, Source)>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn gather(arguments: &Arguments, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut layers = Self::default();
        let mut overriding = Self::default();
        overriding.add_environment(environment);
        for (key, value) in [("listen", &arguments.listen), ("data_dir", &arguments.data_dir)] {
            if let Some(value) = value {
                overriding.give(key, value.clone(), Source::Argument);
            }
        }
        match &arguments.config {
            Some(path) => layers.add_file(path, true),
            None => {
                let directory = overriding.text("data_dir").map_or("./data", |(text, _)| text);
                layers.add_file(&Path::new(directory).join(FILE_NAME), false);
                if layers.given.contains_key("data_dir") {
                    let remedy =
                        "cannot be set in the file that lies in the data directory; give the file with --config";
                    layers.problem("data_dir", remedy.into());
                }
            }
        }
        layers.given.extend(overriding.given);
        layers.problems.extend(overriding.problems);
        layers
    }

    /// The value of a setting, or `None` if it is wrong. A blank value is "not set", but for the secret key: there it is
    /// an accident that must not pass.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key).map_or(default, |(text, _)| text);
        let blank_secret = key == "secret_key" && self.given.get(key).is_some_and(|(text, _)| text.is_empty());
        let parsed = if blank_secret {
            Err("is empty; make one with: openssl rand -base64 32".into())
        } else {
            parse(text)
        };
        parsed.map_err(|remedy| self.problem(key, remedy)).ok()
    }

    /// What was given for a setting, and where.
    pub(super) fn text(&self, key: &str) -> Option<(&str, &Source)> {
        let (text, source) = self.given.get(key)?;
        (!text.is_empty()).then_some((text.as_str(), source))
    }

    /// Notes what is wrong with a setting, under the name by which it was given.
    pub(super) fn problem(&mut self, key: &str, remedy: String) {
        let variable = SETTINGS
            .iter()
            .find(|setting| setting.key == key)
            .map_or(key, |setting| setting.variable);
        let place = match self.given.get(key).map(|(_, source)| source) {
            None | Some(Source::Default | Source::Environment) => variable.to_owned(),
            Some(Source::File(path)) => format!("{key} in {}", path.display()),
            Some(Source::Argument) => format!("--{}", key.replace('_', "-")),
        };
        self.problems.push(Problem { place, remedy });
    }

    fn give(&mut self, key: &'static str, text: String, source: Source) {
        self.given.insert(key, (text, source));
    }

    fn add_environment(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) {
        // In the order of names, so that the same mistakes give the same message.
        let variables: BTreeMap<OsString, OsString> = environment.into_iter().collect();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            match (
                SETTINGS.iter().find(|setting| setting.variable == name),
                value.into_string(),
            ) {
                (Some(setting), Ok(value)) => self.give(setting.key, value, Source::Environment),
                (Some(_), Err(_)) => {
                    let remedy = "is not valid UTF-8; set it anew".to_owned();
                    self.problems.push(Problem {
                        place: name.to_owned(),
                        remedy,
                    });
                }
                (None, _) if name.starts_with(PREFIX) => {
                    let remedy = unknown(name, |setting| setting.variable);
                    self.problems.push(Problem {
                        place: name.to_owned(),
                        remedy,
                    });
                }
                (None, _) => {}
            }
        }
    }

    fn add_file(&mut self, path: &Path, must_exist: bool) {
        let place = path.display().to_string();
        let table = match fs::read_to_string(path).map(|text| (text.parse::<toml::Table>(), text)) {
            Ok((Ok(table), _)) => table,
            Ok((Err(error), text)) => {
                // The library's own message shows the line, which may hold a secret.
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let remedy = format!("line {line} is not valid TOML: {}", error.message());
                return self.problems.push(Problem { place, remedy });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return,
            Err(error) => {
                let remedy = format!("cannot be read: {error}");
                return self.problems.push(Problem { place, remedy });
            }
        };
        for (key, value) in table {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                let remedy = unknown(&key, |setting| setting.key);
                self.problems.push(Problem {
                    place: format!("{key} in {place}"),
                    remedy,
                });
                continue;
            };
            match value {
                toml::Value::String(text) => self.give(setting.key, text, Source::File(path.into())),
                toml::Value::Integer(number) => self.give(setting.key, number.to_string(), Source::File(path.into())),
                toml::Value::Boolean(flag) => self.give(setting.key, flag.to_string(), Source::File(path.into())),
                toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                    let remedy = "must be a text, a whole number, true or false".to_owned();
                    self.problems.push(Problem {
                        place: format!("{key} in {place}"),
                        remedy,
                    });
                }
            }
        }
    }
}

/// What to say of an unknown name: which known one was probably meant.
fn unknown(name: &str, of: impl Fn(&Setting) -> &'static str) -> String {
    let similarity = |known: &str| strsim::jaro_winkler(name, known);
    let nearest = SETTINGS
        .iter()
        .map(of)
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|known| similarity(known) >= SIMILAR) {
        Some(nearest) => format!("is not a setting; did you mean {nearest}?"),
        None => "is not a setting; remove it, or see `ai-across config` for those there are".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{load, show};
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn file(text: &str) -> (tempfile::TempDir, Arguments) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE_NAME), text).unwrap();
        let data_dir = Some(directory.path().to_str().unwrap().to_owned());
        (
            directory,
            Arguments {
                data_dir,
                ..Default::default()
            },
        )
    }

    #[test]
    fn the_later_layer_wins() {
        let (_directory, mut arguments) = file("docs = false\nlisten = \"127.0.0.1:1\"\nprovider_idle_timeout = 7\n");
        let read = |arguments: &Arguments, pairs| load(arguments, environment(pairs)).unwrap().config;
        let config = read(&arguments, &[]);
        assert_eq!(
            (
                config.listen.port(),
                config.docs,
                config.provider_idle_timeout.as_secs()
            ),
            (1, false, 7)
        );
        let config = read(
            &arguments,
            &[("AI_ACROSS_LISTEN", "127.0.0.1:2"), ("AI_ACROSS_DOCS", "")],
        );
        assert_eq!((config.listen.port(), config.docs), (2, true));
        arguments.listen = Some("127.0.0.1:3".into());
        assert_eq!(
            read(&arguments, &[("AI_ACROSS_LISTEN", "127.0.0.1:2")]).listen.port(),
            3
        );
    }

    #[test]
    fn all_problems_are_told_at_once_without_secrets() {
        let (_directory, arguments) = file("lissten = \"x\"\ndocs = [1]\nsecret_key = \"hunter2\"\n");
        let pairs = [
            ("AI_ACROSS_PROVIDER_IDLE_TIMEOUT", "0"),
            ("AI_ACROSS_LOGS", "info"),
            ("AI_ACROSS_ADMIN_EMAIL", "not an address"),
            ("AI_ACROSS_DATABASE_URL", "mysql://u:hunter2@h/n"),
            ("OPENAI_API_KEY", "hunter2 \n"),
            ("HOME", "/root"),
        ];
        let problems = load(&arguments, environment(&pairs)).err().unwrap();
        let text = problems.to_string();
        for part in [
            "lissten in",
            "did you mean listen?",
            "docs in",
            "secret_key in",
            "AI_ACROSS_LOGS",
            "OPENAI_API_KEY",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(problems.0.len(), 9, "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn broken_files_are_named_with_their_line_and_not_shown() {
        let (_directory, arguments) = file("docs = true\nsecret_key = hunter2\n");
        let text = load(&arguments, []).err().unwrap().to_string();
        assert!(text.contains("line 2"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let arguments = Arguments {
            config: Some("/nowhere/at/all.toml".into()),
            ..Default::default()
        };
        assert!(
            load(&arguments, [])
                .err()
                .unwrap()
                .to_string()
                .contains("cannot be read")
        );
    }

    #[test]
    fn rules_between_settings_hold() {
        let check = |pairs: &[(&str, &str)], part: &str| {
            let text = load(&Arguments::default(), environment(pairs))
                .err()
                .unwrap()
                .to_string();
            assert!(text.contains(part), "{text}");
        };
        check(
            &[("AI_ACROSS_ADMIN_EMAIL", "a@b.c")],
            "AI_ACROSS_ADMIN_PASSWORD: is missing",
        );
        check(
            &[
                ("AI_ACROSS_ADMIN_EMAIL", "a@b.c"),
                ("AI_ACROSS_ADMIN_PASSWORD", "short"),
            ],
            "12 characters",
        );
        let key = "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k=";
        check(
            &[("AI_ACROSS_SECRET_KEY", key), ("AI_ACROSS_SECRET_KEY_OLD", key)],
            "AI_ACROSS_SECRET_KEY_OLD: is the same",
        );
        check(&[("AI_ACROSS_SECRET_KEY", "")], "AI_ACROSS_SECRET_KEY: is empty");
        let store = ("AI_ACROSS_VECTOR_STORE", "qdrant");
        check(
            &[("AI_ACROSS_VECTOR_STORE", "pinecone")],
            "choose embedded, pgvector, chroma or qdrant",
        );
        check(&[store], "AI_ACROSS_VECTOR_URL: is missing; qdrant needs its address");
        check(
            &[store, ("AI_ACROSS_VECTOR_URL", "postgres://h/n")],
            "is an address of PostgreSQL",
        );
        check(
            &[store, ("AI_ACROSS_VECTOR_URL", "hunter2")],
            "is neither http://HOST:PORT nor",
        );
        check(&[("AI_ACROSS_VECTOR_URL", "http://h:6333")], "vector_store is embedded");
        check(
            &[("AI_ACROSS_VECTOR_STORE", "pgvector")],
            "pgvector needs a PostgreSQL database",
        );
        let own = [
            ("AI_ACROSS_VECTOR_STORE", "pgvector"),
            ("AI_ACROSS_DATABASE_URL", "postgres://h/n"),
        ];
        assert!(load(&Arguments::default(), environment(&own)).is_ok());
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_holds_no_secret() {
        let pairs = [
            ("AI_ACROSS_DATABASE_URL", "postgres://user:hunter2@db/name"),
            ("OPENAI_API_KEY", "sk-hunter2"),
            ("AI_ACROSS_LOG", "info,across=\"x\"=debug"),
        ];
        let (_directory, arguments) = file("log_format = \"text\"\n");
        let loaded = load(&arguments, environment(&pairs[..2])).unwrap();
        let text = show::effective(&loaded);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("postgres://user:********@db/name"), "{text}");
        let table = text.parse::<toml::Table>().unwrap();
        assert_eq!(table["log_format"].as_str(), Some("text"));
        assert!(load(&arguments, environment(&pairs[2..])).is_err());
    }

    #[test]
    fn the_example_sets_nothing_but_defaults() {
        let uncommented: String = show::example()
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
            .filter(|line| !line.starts_with("secret_key"))
            .map(|line| format!("{line}\n"))
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("example.toml");
        fs::write(&path, &uncommented).unwrap();
        let arguments = Arguments {
            config: Some(path.clone()),
            ..Arguments::default()
        };
        let sources = [format!("  # {}", path.display()), "  # default".to_owned()];
        let shown = |arguments| {
            let text = show::effective(&load(arguments, []).unwrap());
            sources.iter().fold(text, |text, source| text.replace(source, ""))
        };
        let nothing = Arguments {
            config: Some(directory.path().join("empty.toml")),
            ..Arguments::default()
        };
        fs::write(directory.path().join("empty.toml"), "").unwrap();
        assert_eq!(shown(&arguments), shown(&nothing));
        assert_eq!(uncommented.lines().count(), SETTINGS.len() - 2);
    }

    #[test]
    fn the_committed_example_is_the_generated_one() {
        let committed = include_str!("../../../../ai-across.example.toml");
        assert!(
            committed == show::example(),
            "run: ai-across config --example > ai-across.example.toml"
        );
    }
}
