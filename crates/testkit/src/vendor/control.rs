//! The vendor told what to do over HTTP, for tests in other languages than this one.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /scripted/answer-for/DIALECT/SCRIPT` | [`super::ScriptedVendor::answer_for`] |
//! | `POST /scripted/answer-next-for/DIALECT/SCRIPT` | [`super::ScriptedVendor::answer_next_for`] |
//! | `POST /scripted/answer-as-asked/DIALECT` | [`super::ScriptedVendor::answer_as_asked`] |
//! | `POST /scripted/let-through/NUMBER` | [`super::ScriptedVendor::let_through`] |
//! | `GET /scripted/state` | `{"counts": {"POST /v1/…": 1}, "closes": ["/v1/…"], "at_gate": 0}` |
//!
//! `DIALECT` is `openai`, `openrouter`, `anthropic` or `gemini`.

use serde_json::{Value, json};

use super::{Answer, Dialect, Recorded, state::State};

/// The answer to a request that is meant for the vendor's script and not for the vendor.
pub(super) fn answer(request: &Recorded, state: &State) -> Option<Answer> {
    let words = request.bare_path().strip_prefix("/scripted/")?;
    let words: Vec<&str> = words.split('/').collect();
    let body = match (request.method.as_str(), words.as_slice()) {
        ("GET", ["state"]) => Some(told(state)),
        ("POST", instruction) => obey(instruction, state).map(|()| json!({})),
        _ => None,
    };
    Some(body.map_or_else(
        || Answer::json(404, &json!({"error": "no such instruction"})),
        |body| Answer::json(200, &body),
    ))
}

/// Does what is said; `None` if it makes no sense.
fn obey(instruction: &[&str], state: &State) -> Option<()> {
    match instruction {
        ["answer-for", dialect, script] => {
            let dialect = Dialect::parse(dialect)?;
            state.told().scripts.insert(dialect, (*script).to_owned());
        }
        ["answer-next-for", dialect, script] => {
            let dialect = Dialect::parse(dialect)?;
            let mut told = state.told();
            told.next_scripts
                .entry(dialect)
                .or_default()
                .push_back((*script).to_owned());
        }
        ["answer-as-asked", dialect] => {
            state.told().scripts.remove(&Dialect::parse(dialect)?);
        }
        ["let-through", answers] => state.let_through(answers.parse().ok()?),
        _ => return None,
    }
    Some(())
}

fn told(state: &State) -> Value {
    let told = state.told();
    let closes: Vec<&str> = told.closes.iter().map(|closed| closed.path.as_str()).collect();
    json!({"counts": told.counts, "closes": closes, "at_gate": state.at_gate()})
}
