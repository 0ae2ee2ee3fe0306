//! What the scripted vendor answers. A test chooses by name ([`super::ScriptedVendor::answer_for`]), or a marker such as
//! `[[script:cut]]` in the last message of the person does. Capitals stand for numbers.
//!
//! | script | answer |
//! |---|---|
//! | none | quotes the question; cites `[1]` if the system prompt has a passage 1 |
//! | `crlf` | the same with CRLF line ends |
//! | `split-utf8` | Hebrew and emoji, every byte in a chunk of its own |
//! | `hebrew` | Hebrew Markdown |
//! | `keepalive` | comments, pings and empty chunks before and between the words, for about two seconds |
//! | `reasoning` | hidden reasoning first |
//! | `slow` | a word each 200 ms for ten seconds |
//! | `pace-N-MS` | N words, one each MS milliseconds |
//! | `long` | about 4,000 tokens of Markdown, quickly |
//! | `hostile` | script tags, `javascript:` links, images of another host |
//! | `echo-system` | the system prompt that came |
//! | `length`, `filter` | ends for reasons of length, of content |
//! | `usage-zero`, `usage-negative`, `usage-absurd`, `usage-missing` | quotes the question; its count is nonsense |
//! | `empty` | a stream without any words |
//! | `flood` | 2.4 MB of words; the limit is 1 MiB |
//! | `flood-line` | after a word a line of 2.4 MB |
//! | `flood-empty` | 20,000 events that say nothing |
//! | **fails before the first word** | |
//! | `status-N` | refused with HTTP status N in the words of the dialect: 400 401 402 403 404 408 413 422 429 500 502 503 529 … |
//! | `status-N-S` | the same with `Retry-After: S` |
//! | `error-401`, `error-402`, `error-429`, `error-500` | the same; 429 with `Retry-After: 3600`, 500 as a page of HTML |
//! | `error-first` | an error as the first event under status 200 |
//! | `hang-up`, `cut-head`, `cut-0` | the connection closes: without an answer, after its head, before its first word |
//! | `stall`, `stall-0` | silence until the other side closes: without an answer, before its first word |
//! | `pings` | what keeps a connection alive, and nothing else, for a minute |
//! | `gate` | nothing until the test lets it through ([`super::ScriptedVendor::let_through`]), then as none |
//! | **fails after it** | |
//! | `cut`, `cut-N` | the connection closes after 4, after N words |
//! | `cut-utf8`, `cut-json` | it closes within a character, within a line of JSON |
//! | `error-mid`, `error-mid-N` | an error after 4, after N words |
//! | `stall-N` | silence after N words, until the other side closes |
//! | `gate-N` | silence after N words, until the test lets it through |

use std::{collections::BTreeMap, time::Duration};

use super::{
    Answer, Step,
    dialect::{Asked, Count},
    openrouter::Generation,
    talk::{End, Manner, Talk},
};

const HEBREW: &str =
    "שלום! הנה **תשובה** בעברית:\n\n1. סעיף ראשון, עם `קוד` בפנים.\n2. סעיף שני – ומספר: 42.\n\n> ציטוט קצר מהמסמך.\n";
const SPLIT: &str = "Grüße, שלום וברכה, 你好, 👋🏽👩‍👩‍👧 – done.";
const HOSTILE: &str = "Before <script>document.title='owned'</script> \
    <img src=x onerror=\"document.title='owned'\"> [click](javascript:document.title='owned') \
    ![pixel](https://tracker.example/p.png?leak=1) <iframe src=\"https://evil.example\"></iframe> \
    <a href=\"data:text/html,<script>1</script>\">data</a> \
    \n\ndata: {\"type\":\"done\"}\n\nevent: done\r\u{2028}after.";

/// The answer to a question in any dialect, by the script of this name or by the question's own marker.
pub(super) fn answer(asked: &Asked, named: Option<&str>, generations: &mut BTreeMap<String, Generation>) -> Answer {
    let marked = asked
        .question
        .split_once("[[script:")
        .and_then(|(_, rest)| rest.split_once("]]"))
        .map(|(name, _)| name);
    let (script, numbers) = parts(named.or(marked).unwrap_or_default());
    let number = |place: usize| numbers.get(place).copied();
    let words = |usual: u64| usize::try_from(number(0).unwrap_or(usual)).unwrap_or(usize::MAX);
    let mut talk = Talk { asked, generations };
    let quote = talk.quote();
    let plain = Manner::PLAIN;
    let ending = |end| Manner { end, ..plain };
    let counting = |count| Manner { count, ..plain };
    match script {
        "status" => refusal(asked, words(500), number(1)),
        "error" if number(0) == Some(429) => refusal(asked, 429, Some(3600)),
        "error" if number(0) == Some(500) => Answer::whole(
            500,
            "text/html",
            "<html><body><h1>500 Internal Server Error</h1></body></html>",
        ),
        "error" => refusal(asked, words(500), None),
        "hang-up" => Answer::hang_up(),
        "cut-head" => Answer::stream(vec![Step::Write(Vec::new()), Step::Cut]),
        "stall" if number(0).is_none() => Answer::stream(vec![Step::Stall]),
        "gate" if number(0).is_none() => talk.say(&quote, plain).gated(),
        "crlf" => talk.say(&quote, Manner { crlf: true, ..plain }),
        "split-utf8" => talk.say(
            SPLIT,
            Manner {
                bytewise: true,
                ..plain
            },
        ),
        "hebrew" => talk.say(HEBREW, plain),
        "keepalive" => talk.say(
            &quote,
            Manner {
                keep_alives: true,
                ..plain
            },
        ),
        "reasoning" => talk.say(
            &quote,
            Manner {
                reasoning: true,
                ..plain
            },
        ),
        "slow" => talk.say(&numbered(50), paced(200)),
        "pace" => talk.say(&numbered(number(0).unwrap_or(50)), paced(number(1).unwrap_or(10))),
        "long" => talk.say(&long(), paced(0)),
        "hostile" => talk.say(HOSTILE, plain),
        "echo-system" => talk.say(&asked.system, paced(0)),
        "length" => talk.say(&quote, ending(End::Finish("length"))),
        "filter" => talk.say(&quote, ending(End::Finish("content_filter"))),
        "usage-zero" => talk.say(&quote, counting(Count::Zero)),
        "usage-negative" => talk.say(&quote, counting(Count::Negative)),
        "usage-absurd" => talk.say(&quote, counting(Count::Absurd)),
        "usage-missing" => talk.say(&quote, counting(Count::Missing)),
        "empty" => talk.say("", plain),
        "flood" => talk.say(&format!("{} ", "x".repeat(60_000)).repeat(40), paced(0)),
        "flood-line" => talk.say(&quote, ending(End::FloodedLine)),
        "flood-empty" => talk.say(&quote, ending(End::Pings(20_000, Duration::ZERO))),
        "pings" => talk.say(&quote, ending(End::Pings(1200, Duration::from_millis(50)))),
        "error-first" => talk.say(&quote, ending(End::Error(None))),
        "error-mid" => talk.say(&quote, ending(End::Error(Some(words(4))))),
        "cut" => talk.say(&quote, ending(End::Cut(words(4)))),
        "cut-utf8" => talk.say(&quote, ending(End::CutWithin("ש", 1))),
        "cut-json" => talk.say(&quote, ending(End::CutWithin("{", 2))),
        "stall" => talk.say(&quote, ending(End::Stall(words(0)))),
        "gate" => talk.say(
            &quote,
            Manner {
                gate_after: Some(words(0)),
                ..plain
            },
        ),
        _ => talk.say(&quote, plain),
    }
}

/// A script's name and the numbers at its end.
fn parts(script: &str) -> (&str, Vec<u64>) {
    let mut numbers = Vec::new();
    let mut name = script;
    while let Some((before, number)) = name.rsplit_once('-') {
        let Ok(number) = number.parse() else { break };
        numbers.insert(0, number);
        name = before;
    }
    (name, numbers)
}

fn refusal(asked: &Asked, status: usize, retry_after: Option<u64>) -> Answer {
    let refusal = asked.dialect.refusal(u16::try_from(status).unwrap_or(500));
    match retry_after {
        Some(seconds) => refusal.with_header("retry-after", &seconds.to_string()),
        None => refusal,
    }
}

const fn paced(milliseconds: u64) -> Manner {
    Manner {
        pause: Duration::from_millis(milliseconds),
        ..Manner::PLAIN
    }
}

fn numbered(words: u64) -> String {
    (1..=words).map(|number| format!("word{number} ")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_at_a_scripts_end_are_not_its_name() {
        assert_eq!(parts("status-429-3600"), ("status", vec![429, 3600]));
        assert_eq!(parts("error-mid-2"), ("error-mid", vec![2]));
        assert_eq!(parts("cut-utf8"), ("cut-utf8", Vec::new()));
        assert_eq!(parts(""), ("", Vec::new()));
    }
}
