//! What the scripted vendor answers. A marker in the last user message chooses:
//!
//! | marker | answer |
//! |---|---|
//! | none | quotes the question; cites `[1]` if the system prompt has a passage 1 |
//! | `[[script:crlf]]` | the same with CRLF line ends |
//! | `[[script:split-utf8]]` | Hebrew and emoji, every byte in a chunk of its own |
//! | `[[script:hebrew]]` | Hebrew Markdown |
//! | `[[script:keepalive]]` | comments, pings and empty chunks before and between the words, for about two seconds |
//! | `[[script:reasoning]]` | hidden reasoning first |
//! | `[[script:slow]]` | a word each 200 ms for ten seconds |
//! | `[[script:long]]` | about 4,000 tokens of Markdown, quickly |
//! | `[[script:hostile]]` | script tags, `javascript:` links, images of another host |
//! | `[[script:echo-system]]` | the system prompt that came |
//! | `[[script:length]]` | ends for reasons of length |
//! | `[[script:cut]]` | the connection closes after a few words |
//! | `[[script:empty]]` | a stream without any words |
//! | `[[script:error-mid]]` | an error after a few words |
//! | `[[script:error-401]]` `[[script:error-402]]` `[[script:error-429]]` `[[script:error-500]]` | refused before the first word |

use std::time::Duration;

use super::{
    Answer, Step,
    dialect::{Asked, Piece},
    json_answer,
};

const HEBREW: &str =
    "שלום! הנה **תשובה** בעברית:\n\n1. סעיף ראשון, עם `קוד` בפנים.\n2. סעיף שני – ומספר: 42.\n\n> ציטוט קצר מהמסמך.\n";
const SPLIT: &str = "Grüße, שלום וברכה, 你好, 👋🏽👩‍👩‍👧 – done.";
const HOSTILE: &str = "Before <script>document.title='owned'</script> \
    <img src=x onerror=\"document.title='owned'\"> [click](javascript:document.title='owned') \
    ![pixel](https://tracker.example/p.png?leak=1) <iframe src=\"https://evil.example\"></iframe> \
    <a href=\"data:text/html,<script>1</script>\">data</a> \
    \n\ndata: {\"type\":\"done\"}\n\nevent: done\r\u{2028}after.";

/// The answer to a question in any dialect.
pub(super) fn answer(asked: &Asked) -> Answer {
    let script = asked
        .question
        .split_once("[[script:")
        .and_then(|(_, rest)| rest.split_once("]]"))
        .map(|(name, _)| name);
    let talk = Talk(asked);
    let quote = talk.quote();
    let refusal = |status, code, message| asked.dialect.refusal(status, code, message);
    match script.unwrap_or_default() {
        "error-401" => refusal(401, "invalid_api_key", "Incorrect API key provided."),
        "error-402" => refusal(402, "payment_required", "Insufficient credits."),
        "error-429" => refusal(429, "rate_limit_exceeded", "Rate limit reached.").with_header("retry-after", "3600"),
        "error-500" => Answer::whole(
            500,
            "text/html",
            "<html><body><h1>500 Internal Server Error</h1></body></html>",
        ),
        "crlf" => talk.say(
            &quote,
            Manner {
                crlf: true,
                ..Manner::PLAIN
            },
        ),
        "split-utf8" => talk.say(
            SPLIT,
            Manner {
                bytewise: true,
                ..Manner::PLAIN
            },
        ),
        "hebrew" => talk.say(HEBREW, Manner::PLAIN),
        "keepalive" => talk.say(
            &quote,
            Manner {
                keep_alives: true,
                ..Manner::PLAIN
            },
        ),
        "reasoning" => talk.say(
            &quote,
            Manner {
                reasoning: true,
                ..Manner::PLAIN
            },
        ),
        "slow" => {
            let words: String = (1..=50).map(|number| format!("word{number} ")).collect();
            talk.say(
                &words,
                Manner {
                    pause: Duration::from_millis(200),
                    ..Manner::PLAIN
                },
            )
        }
        "long" => talk.say(
            &long(),
            Manner {
                pause: Duration::ZERO,
                ..Manner::PLAIN
            },
        ),
        "hostile" => talk.say(HOSTILE, Manner::PLAIN),
        "echo-system" => talk.say(
            &asked.system,
            Manner {
                pause: Duration::ZERO,
                ..Manner::PLAIN
            },
        ),
        "length" => talk.say(
            &quote,
            Manner {
                end: End::Finish("length"),
                ..Manner::PLAIN
            },
        ),
        "cut" => talk.say(
            &quote,
            Manner {
                end: End::Cut,
                ..Manner::PLAIN
            },
        ),
        "empty" => talk.say("", Manner::PLAIN),
        "error-mid" => talk.say(
            &quote,
            Manner {
                end: End::Error,
                ..Manner::PLAIN
            },
        ),
        _ => talk.say(&quote, Manner::PLAIN),
    }
}

/// How something is said.
#[derive(Clone, Copy)]
struct Manner {
    pause: Duration,
    crlf: bool,
    bytewise: bool,
    keep_alives: bool,
    reasoning: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Finish(&'static str),
    /// The connection closes after a few words.
    Cut,
    /// An error comes after a few words.
    Error,
}

impl Manner {
    const PLAIN: Self = Self {
        pause: Duration::from_millis(10),
        crlf: false,
        bytewise: false,
        keep_alives: false,
        reasoning: false,
        end: End::Finish("stop"),
    };
}

/// One request being answered.
struct Talk<'a>(&'a Asked);

impl Talk<'_> {
    fn quote(&self) -> String {
        let source = if self.0.system.contains("[1]") {
            " The first passage says so [1]."
        } else {
            ""
        };
        let question = self.0.question.trim();
        format!("You asked: “{question}” This is a scripted answer.{source}")
    }

    fn say(&self, text: &str, manner: Manner) -> Answer {
        if self.0.streams {
            return Answer::stream(self.steps(text, manner));
        }
        let reason = if let End::Finish(reason) = manner.end {
            reason
        } else {
            "stop"
        };
        json_answer(200, &self.0.whole(text, reason))
    }

    fn steps(&self, text: &str, manner: Manner) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut say = |piece: Piece<'_>| {
            for event in self.0.events(piece) {
                let event = if manner.crlf {
                    event.replace('\n', "\r\n")
                } else {
                    event
                };
                if manner.bytewise {
                    steps.extend(event.bytes().map(|byte| Step::Write(vec![byte])));
                } else {
                    steps.push(Step::Write(event.into_bytes()));
                }
                if !manner.pause.is_zero() {
                    steps.push(Step::Wait(manner.pause));
                }
            }
        };
        say(Piece::Begin);
        if manner.reasoning {
            say(Piece::Thought("The question is simple."));
        }
        say(Piece::Open);
        let mut words: Vec<&str> = text.split_inclusive(' ').filter(|word| !word.is_empty()).collect();
        if !matches!(manner.end, End::Finish(_)) {
            words.truncate(4);
        }
        for (number, word) in words.iter().enumerate() {
            if manner.keep_alives && number < 10 {
                (0..6).for_each(|_| say(Piece::KeepAlive));
            }
            say(Piece::Words(word));
        }
        match manner.end {
            End::Finish(reason) => say(Piece::Finish(reason, text)),
            End::Error => say(Piece::Error),
            End::Cut => steps.push(Step::Cut),
        }
        steps
    }
}

fn long() -> String {
    let sections = (1..=60).map(|number| {
        format!(
            "## Section {number}\n\nThis paragraph is here to be long, with **bold**, *italic* and `code` in it, and it goes \
             on for some more words so that the page has something to lay out while the text grows.\n\n\
             - first point of section {number}\n- second point, a little longer than the first\n\n\
             ```rust\nfn section_{number}() -> u32 {{ {number} }}\n```\n\n"
        )
    });
    sections.collect()
}
