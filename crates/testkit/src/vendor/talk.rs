//! One question being answered: how the words are said, and how the answer ends.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Answer, Dialect, Step,
    dialect::{Asked, Count, Piece, tokens},
    openrouter::Generation,
};

/// How something is said.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) pause: Duration,
    pub(super) crlf: bool,
    pub(super) bytewise: bool,
    pub(super) keep_alives: bool,
    pub(super) reasoning: bool,
    /// After how many words the test has to let it go on.
    pub(super) gate_after: Option<usize>,
    pub(super) count: Count,
    pub(super) end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// For this reason, in OpenAI's words.
    Finish(&'static str),
    /// The connection closes after so many words.
    Cut(usize),
    /// After some words it closes within an event of a Hebrew word, so many bytes after the start of these characters.
    CutWithin(&'static str, usize),
    /// An error comes after so many words, or as the first event.
    Error(Option<usize>),
    /// Silence after so many words.
    Stall(usize),
    /// So many times what keeps a connection alive, with a pause after each, and no words.
    Pings(usize, Duration),
    /// A line that does not end, after a word.
    FloodedLine,
}

impl Manner {
    pub(super) const PLAIN: Self = Self {
        pause: Duration::from_millis(10),
        crlf: false,
        bytewise: false,
        keep_alives: false,
        reasoning: false,
        gate_after: None,
        count: Count::True,
        end: End::Finish("stop"),
    };

    /// How many words are said.
    const fn words(&self) -> usize {
        match self.end {
            End::Finish(_) => usize::MAX,
            End::Cut(words) | End::Error(Some(words)) | End::Stall(words) => words,
            End::Error(None) | End::Pings(..) => 0,
            End::FloodedLine => 1,
            End::CutWithin(..) => 3,
        }
    }
}

/// One request being answered.
pub(super) struct Talk<'a> {
    pub(super) asked: &'a Asked,
    /// Where OpenRouter keeps what its answers cost.
    pub(super) generations: &'a mut BTreeMap<String, Generation>,
}

impl Talk<'_> {
    pub(super) fn quote(&self) -> String {
        let source = if self.asked.system.contains("[1]") {
            " The first passage says so [1]."
        } else {
            ""
        };
        let question = self.asked.question.trim();
        format!("You asked: “{question}” This is a scripted answer.{source}")
    }

    pub(super) fn say(&mut self, text: &str, manner: Manner) -> Answer {
        let asked = Asked {
            count: manner.count,
            ..self.asked.clone()
        };
        let is_router = asked.dialect == Dialect::OpenRouter;
        if is_router {
            let generation = Generation {
                model: asked.model.clone(),
                prompt_tokens: asked.input_tokens,
                completion_tokens: tokens(text),
                denied: 0,
            };
            self.generations.insert(asked.id(), generation);
        }
        let answer = if asked.streams {
            Answer::stream(steps(&asked, text, manner))
        } else {
            let reason = if let End::Finish(reason) = manner.end {
                reason
            } else {
                "stop"
            };
            Answer::json(200, &asked.whole(text, reason))
        };
        if is_router {
            answer.with_header("x-generation-id", &asked.id())
        } else {
            answer
        }
    }
}

fn steps(asked: &Asked, text: &str, manner: Manner) -> Vec<Step> {
    let mut said = Said {
        asked,
        manner,
        steps: Vec::new(),
    };
    if manner.end == End::Error(None) {
        said.say(Piece::Error);
        return said.steps;
    }
    said.say(Piece::Begin);
    if manner.reasoning {
        said.say(Piece::Thought("The question is simple."));
    }
    said.say(Piece::Open);
    let words = text.split_inclusive(' ').filter(|word| !word.is_empty());
    for (number, word) in words.take(manner.words()).enumerate() {
        if manner.gate_after == Some(number) {
            said.rest(Step::Gate);
        }
        if manner.keep_alives && number < 10 {
            (0..6).for_each(|_| said.say(Piece::KeepAlive));
        }
        said.say(Piece::Words(word));
    }
    match manner.end {
        End::Finish(reason) => said.say(Piece::Finish(reason, text)),
        End::Error(_) => said.say(Piece::Error),
        End::Cut(_) => said.rest(Step::Cut),
        End::Stall(_) => said.rest(Step::Stall),
        End::CutWithin(start, bytes) => said.part(start, bytes),
        End::Pings(times, pause) => {
            said.manner.pause = pause;
            (0..times).for_each(|_| said.say(Piece::KeepAlive));
        }
        End::FloodedLine => said.steps.extend(vec![Step::Write(vec![b'x'; 60_000]); 40]),
    }
    said.steps
}

/// What was said so far.
struct Said<'a> {
    asked: &'a Asked,
    manner: Manner,
    steps: Vec<Step>,
}

impl Said<'_> {
    fn say(&mut self, piece: Piece<'_>) {
        for event in self.asked.events(piece) {
            let event = if self.manner.crlf {
                event.replace('\n', "\r\n")
            } else {
                event
            };
            if self.manner.bytewise {
                self.steps.extend(event.bytes().map(|byte| Step::Write(vec![byte])));
            } else {
                self.steps.push(Step::Write(event.into_bytes()));
            }
            if !self.manner.pause.is_zero() {
                self.steps.push(Step::Wait(self.manner.pause));
            }
        }
    }

    /// Something that is not said, after the head of the answer at the earliest.
    fn rest(&mut self, step: Step) {
        if self.steps.is_empty() {
            self.steps.push(Step::Write(Vec::new()));
        }
        self.steps.push(step);
    }

    /// An event of a Hebrew word, up to so many bytes after the start of these characters; then nothing more.
    fn part(&mut self, start: &str, bytes: usize) {
        let event = self.asked.events(Piece::Words("שלום")).concat().into_bytes();
        let found = event.windows(start.len()).position(|window| window == start.as_bytes());
        let part = event.get(..found.unwrap_or_default() + bytes).unwrap_or_default();
        self.rest(Step::Write(part.to_vec()));
        self.steps.push(Step::Cut);
    }
}
