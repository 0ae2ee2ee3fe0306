//! Log lines: to standard error, one an event, JSON unless a person is looking.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    config::{Config, LogFormat},
    failure::Failure,
};

/// Begins to log as configured.
///
/// # Errors
/// [`Failure::Usage`] if the filter is wrong; [`Failure::Working`] if the process logs already.
pub fn start(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let terminal = io::stderr().is_terminal();
    let text = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if text {
        lines.with_ansi(terminal).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    started.map_err(|error| Failure::Working(format!("logging cannot be started: {error}")))
}
