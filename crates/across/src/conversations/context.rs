//! What the model is shown: the instructions and passages in their frame, and as much of the history as fits.

use crate::{
    assistants::Assistant,
    conversations::{message::RetrievalOutcome, tree::Said},
    providers::{
        chat::{ChatRequest, Material, Speaker, Turn},
        model::{Model, ProviderKind},
    },
};

/// The frame for assistants without files.
const BARE_TEMPLATE: &str = "You are {assistant_name}.\n\n{assistant_instructions}\n";

/// Said above the passages, so that the answer's marks can be matched to them.
const HOW_TO_CITE: &str = "Cite a passage by its number in square brackets, like [1], right after what it supports.";
/// Said in the place of passages when the files hold none that belongs to the question.
const NOTHING_FOUND: &str = "Nothing relevant to this question was found in the reference materials.";
/// Said in the place of passages when the files could not be searched.
const NOT_SEARCHED: &str = "The reference materials could not be searched for this question.";

/// The window assumed for a model that does not say how much it can read.
const UNKNOWN_WINDOW: u32 = 16_384;
/// Tokens that a message costs beyond its words.
const PER_MESSAGE: u64 = 4;
/// Room for an answer that is kept free whatever else has to go, in tokens; of a small window an eighth.
const SHORTEST_ANSWER: u64 = 256;
/// What stands between two things that the same speaker said one after the other.
const BETWEEN: &str = "\n\n";

pub use crate::providers::tokens::estimate as estimate_tokens;

/// The newest message alone does not fit into the model's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this message is too long for the model: it has about {tokens} tokens, and {room} are free")]
pub struct TooLong {
    /// Tokens of the message.
    pub tokens: u64,
    /// Tokens that are free for it.
    pub room: u64,
}

/// What the files have to say about a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Knowledge {
    /// With what luck they were searched; none for an assistant without files.
    pub outcome: Option<RetrievalOutcome>,
    /// The passages that were found, the most relevant first.
    pub materials: Vec<Material>,
}

/// A request, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The request. Its materials are those that had room.
    pub request: ChatRequest,
    /// Tokens of all of its words, as we count them.
    pub tokens: u64,
    /// With what luck the files were searched, as far as the model is told: passages without room are none.
    pub outcome: Option<RetrievalOutcome>,
}

/// A prompt that still takes older messages: the frame made of a template, then the history trimmed oldest first; the question
/// itself is never trimmed. Passages take at most half of the window, the least relevant going first; where the question still
/// does not fit, more of them go, and then the longest answer becomes shorter.
pub struct PromptBuilder<'a> {
    assistant: &'a Assistant,
    model: &'a Model,
    system: String,
    knowledge: Knowledge,
    max_output: u32,
    /// Tokens so far, and how many more there is room for.
    tokens: u64,
    room: u64,
    /// What was said, newest first; what one speaker said in a row, newest first too.
    turns: Vec<(Speaker, Vec<String>)>,
    /// Whether the answer to the message before those taken so far came to nothing.
    skips_question: bool,
    is_full: bool,
}

impl<'a> PromptBuilder<'a> {
    /// The frame and the question, without any history.
    ///
    /// # Errors
    /// [`TooLong`] if they leave no room for an answer.
    pub fn begin(
        template: &str,
        assistant: &'a Assistant,
        model: &'a Model,
        mut knowledge: Knowledge,
        question: &str,
    ) -> Result<Self, TooLong> {
        let window = u64::from(model.context_length.unwrap_or(UNKNOWN_WINDOW));
        let longest = model
            .max_output_tokens
            .unwrap_or(u32::MAX)
            .min(assistant.draft.max_tokens);
        let mut max_output = u64::from(longest).min(window / 2).max(1);
        let shortest = max_output.min(SHORTEST_ANSWER.min(window / 8)).max(1);
        let mut passages = 0;
        let fitting = knowledge.materials.iter().take_while(|material| {
            passages += estimate_tokens(&passage(material));
            passages <= window / 2
        });
        let fitting = fitting.count();
        knowledge.materials.truncate(fitting);
        let tokens = estimate_tokens(question);
        let needed = |system: u64| system + tokens + 2 * PER_MESSAGE;
        let (system, system_tokens) = loop {
            let system = render(template, assistant, &knowledge);
            let counted = estimate_tokens(&system);
            if needed(counted) <= prompt_room(model, window, max_output) || knowledge.materials.is_empty() {
                break (system, counted);
            }
            knowledge.materials.pop();
        };
        while needed(system_tokens) > prompt_room(model, window, max_output) && max_output > shortest {
            // By as much as is missing; once more if the model's tokens are shorter than ours.
            let missing = needed(system_tokens) - prompt_room(model, window, max_output);
            max_output = max_output.saturating_sub(missing).max(shortest);
        }
        let all = prompt_room(model, window, max_output);
        let room = all.checked_sub(needed(system_tokens)).ok_or(TooLong {
            tokens: tokens + PER_MESSAGE,
            room: all.saturating_sub(system_tokens + PER_MESSAGE),
        })?;
        if knowledge.materials.is_empty() && knowledge.outcome == Some(RetrievalOutcome::Ok) {
            knowledge.outcome = Some(RetrievalOutcome::None);
        }
        Ok(Self {
            assistant,
            model,
            system,
            knowledge,
            max_output: u32::try_from(max_output).unwrap_or(u32::MAX),
            tokens: system_tokens + tokens,
            room,
            turns: vec![(Speaker::User, vec![question.to_owned()])],
            skips_question: false,
            is_full: false,
        })
    }

    /// Whether older messages may still fit.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        !self.is_full && self.room > PER_MESSAGE
    }

    /// Takes messages that were said before those taken so far, oldest first, as many of the newest as there is room for.
    /// Each is counted once, and none that comes after the first without room.
    pub fn add(&mut self, history: &[Said]) {
        for message in history.iter().rev() {
            if !self.has_room() {
                return;
            }
            let is_empty = message.content.trim().is_empty();
            // An answer that failed before its first word is no part of what was said, and a question without an answer
            // would be answered now.
            match message.speaker {
                Speaker::Assistant if is_empty => {
                    self.skips_question = true;
                    continue;
                }
                Speaker::User if is_empty || self.skips_question => {
                    self.skips_question = false;
                    continue;
                }
                Speaker::User | Speaker::Assistant => self.skips_question = false,
            }
            let tokens = estimate_tokens(&message.content);
            let Some(left) = self.room.checked_sub(tokens + PER_MESSAGE) else {
                self.is_full = true;
                return;
            };
            self.room = left;
            self.tokens += tokens;
            match self.turns.last_mut() {
                Some((speaker, said)) if *speaker == message.speaker => said.push(message.content.clone()),
                _ => self.turns.push((message.speaker, vec![message.content.clone()])),
            }
        }
    }

    /// The prompt.
    #[must_use]
    pub fn end(mut self) -> Prompt {
        // Some vendors insist that a person speaks first.
        while let Some((Speaker::Assistant, said)) = self.turns.last() {
            self.tokens -= said.iter().map(|text| estimate_tokens(text)).sum::<u64>();
            self.turns.pop();
        }
        let turns = self.turns.into_iter().rev().map(|(speaker, mut said)| {
            said.reverse();
            let text = said.join(BETWEEN);
            Turn { speaker, text }
        });
        Prompt {
            request: ChatRequest {
                model: self.model.id.clone(),
                system: Some(self.system),
                turns: turns.collect(),
                materials: self.knowledge.materials,
                temperature: self.assistant.draft.temperature,
                max_output: self.max_output,
            },
            tokens: self.tokens,
            outcome: self.knowledge.outcome,
        }
    }
}

/// Tokens, as we count them, that fit into a window beside an answer. Models cut text in their own ways, and nobody outside
/// counts exactly for any but OpenAI's: for the others a reserve of 15 percent is kept, since a prompt that is refused for its
/// length costs an answer, and one that is a little shorter than it might be costs the oldest message.
fn prompt_room(model: &Model, window: u64, max_output: u64) -> u64 {
    let room = window.saturating_sub(max_output);
    let is_ours = match model.provider {
        ProviderKind::OpenAi | ProviderKind::Offline | ProviderKind::Local => true,
        ProviderKind::OpenRouter => model.id.starts_with("openai/"),
        ProviderKind::Anthropic | ProviderKind::Google | ProviderKind::Custom => false,
    };
    if is_ours { room } else { room.saturating_mul(100) / 115 }
}

fn render(template: &str, assistant: &Assistant, knowledge: &Knowledge) -> String {
    let template = if knowledge.outcome.is_none() && knowledge.materials.is_empty() {
        BARE_TEMPLATE
    } else {
        template
    };
    let materials = match knowledge.outcome {
        _ if !knowledge.materials.is_empty() => render_materials(&knowledge.materials),
        Some(RetrievalOutcome::Unavailable) => NOT_SEARCHED.to_owned(),
        _ => NOTHING_FOUND.to_owned(),
    };
    fill(
        template,
        &[
            ("{assistant_name}", &assistant.draft.name),
            ("{assistant_instructions}", &assistant.draft.instructions),
            ("{retrieved_chunks}", &materials),
        ],
    )
}

fn render_materials(materials: &[Material]) -> String {
    let mut out = String::from(HOW_TO_CITE);
    materials.iter().for_each(|material| out.push_str(&passage(material)));
    out
}

fn passage(material: &Material) -> String {
    let page = material.page.map(|page| format!(", page {page}")).unwrap_or_default();
    let heading = material.heading.as_deref().map(|heading| format!(", {heading}"));
    format!(
        "{BETWEEN}[{}] {}{page}{}\n{}",
        material.index,
        material.filename,
        heading.unwrap_or_default(),
        material.text
    )
}

/// Fills a template in a single pass: what is put in is never looked at again, so a document that holds a placeholder
/// cannot pull anything else into the frame.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some((name, value)) = values.iter().find(|(name, _)| from.starts_with(name)) {
            out.push_str(value);
            rest = &from[name.len()..];
        } else {
            out.push('{');
            rest = &from[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The text, or as many whole words of it as fit with an ellipsis.
pub(super) fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max_chars - 1).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{whole}…")
}

#[cfg(test)]
mod tests;
