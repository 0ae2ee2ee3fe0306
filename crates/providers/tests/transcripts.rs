//! Recorded answers in `transcripts/`, byte for byte: each folder holds a response and the events it must become.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::{Category, ProviderError},
    key::Custom,
    model::ProviderKind,
    provider::Provider,
};
use across_testkit::vendor::{Answer, ScriptedVendor, Step};

use crate::common::{answer, ask, base_for, custom, error, provider_at, text, timeouts};

/// The vendors, the fewest answers recorded of each, and what stands in the line that ends its normal answer.
const VENDORS: [(ProviderKind, usize, &str); 5] = [
    (ProviderKind::OpenAi, 40, "\"finish_reason\":\"stop\""),
    (ProviderKind::OpenRouter, 30, "\"finish_reason\":\"stop\""),
    (ProviderKind::Anthropic, 35, "\"stop_reason\":\"end_turn\""),
    (ProviderKind::Google, 35, "\"finishReason\":\"STOP\""),
    (ProviderKind::Custom, 12, "\"finish_reason\":\"stop\""),
];
/// What the normal answer says in every dialect.
const WHOLE: &str = "Hi, שלום 👋🏽 a\u{2028}b\n\"c\"";

fn folder(kind: ProviderKind) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(kind.as_str())
}

async fn pair(kind: ProviderKind) -> (ScriptedVendor, Arc<dyn Provider>) {
    let vendor = ScriptedVendor::start().await.unwrap();
    if kind == ProviderKind::Custom {
        let adapter = custom(&vendor, Custom::default());
        return (vendor, adapter);
    }
    let adapter = provider_at(kind, base_for(&vendor, kind), Some("sk-test"), timeouts());
    (vendor, adapter)
}

/// A `response.http`: the status, headers, an empty line, the body.
fn response(kind: ProviderKind, case: &str) -> (Answer, Vec<u8>) {
    let file = fs::read_to_string(folder(kind).join(case).join("response.http")).unwrap();
    let (head, body) = file.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.into(), value.into()));
    (
        Answer {
            status,
            headers: headers.collect(),
            steps: Vec::new(),
        },
        body.as_bytes().to_vec(),
    )
}

fn line(item: &Result<ChatEvent, ProviderError>) -> String {
    match item {
        Ok(event) => format!("{event:?}\n"),
        Err(error) if error.retry_after == Some(Duration::MAX) => format!("{error}, never to be retried\n"),
        Err(error) => format!("{error}, retry after {:?}\n", error.retry_after),
    }
}

#[tokio::test]
async fn every_transcript_becomes_its_events() {
    for (kind, fewest, _) in VENDORS {
        let (vendor, adapter) = pair(kind).await;
        let mut cases: Vec<String> = fs::read_dir(folder(kind))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        cases.sort();
        assert!(cases.len() > fewest, "{kind:?}");
        for case in cases {
            let (head, body) = response(kind, &case);
            vendor.answer_next(Answer {
                steps: vec![Step::Write(body)],
                ..head
            });
            let events: String = answer(&*adapter, ask("Hi")).await.iter().map(line).collect();
            insta::with_settings!({ snapshot_path => folder(kind).join(&case), prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!("events", events);
            });
        }
    }
}

#[tokio::test]
async fn line_ends_do_not_matter() {
    for (kind, ..) in VENDORS {
        let (vendor, adapter) = pair(kind).await;
        let (head, body) = response(kind, "normal");
        let body = String::from_utf8(body).unwrap();
        let mut answers = Vec::new();
        for end in ["\n", "\r\n", "\r"] {
            vendor.answer_next(Answer {
                steps: vec![Step::Write(body.replace('\n', end).into())],
                ..head.clone()
            });
            answers.push(answer(&*adapter, ask("Hi")).await);
        }
        assert_eq!(text(&answers[0]), WHOLE, "{kind:?}");
        assert!(answers.iter().all(|other| *other == answers[0]), "{kind:?}");
    }
}

#[tokio::test]
async fn every_split_of_the_bytes_gives_the_same_events() {
    for (kind, ..) in VENDORS {
        let (vendor, adapter) = pair(kind).await;
        let (head, body) = response(kind, "normal");
        vendor.answer_next(Answer {
            steps: vec![Step::Write(body.clone())],
            ..head.clone()
        });
        let whole = answer(&*adapter, ask("Hi")).await;
        for at in 1..body.len() {
            let (left, right) = body.split_at(at);
            let steps = vec![Step::Write(left.to_vec()), Step::Write(right.to_vec())];
            vendor.answer_next(Answer { steps, ..head.clone() });
            assert_eq!(answer(&*adapter, ask("Hi")).await, whole, "{kind:?}, split at {at}");
        }
        let steps = body.iter().map(|byte| Step::Write(vec![*byte])).collect();
        vendor.answer_next(Answer { steps, ..head });
        assert_eq!(answer(&*adapter, ask("Hi")).await, whole, "{kind:?}, byte by byte");
    }
}

/// Wherever the stream is cut, cleanly or by a broken connection: the words so far are kept, and only an answer whose
/// finish was seen is complete.
#[tokio::test]
async fn a_cut_answer_is_never_complete() {
    for (kind, _, finish) in VENDORS {
        let (vendor, adapter) = pair(kind).await;
        let (head, body) = response(kind, "normal");
        let as_text = String::from_utf8(body.clone()).unwrap();
        let finish = as_text.find(finish).unwrap();
        let finished_at = finish + as_text[finish..].find('\n').unwrap();
        for at in 0..body.len() {
            for broken in [false, true] {
                let mut steps = vec![Step::Write(body[..at].to_vec())];
                steps.extend(broken.then_some(Step::Cut));
                vendor.answer_next(Answer { steps, ..head.clone() });
                let items = answer(&*adapter, ask("Hi")).await;
                let text = text(&items);
                assert!(WHOLE.starts_with(&text), "{kind:?}, cut at {at}: {text:?}");
                if at >= finished_at {
                    let last = items.last();
                    assert_eq!(
                        last,
                        Some(&Ok(ChatEvent::Finish(FinishReason::Stop))),
                        "{kind:?}, cut at {at}"
                    );
                    assert_eq!(text, WHOLE);
                } else {
                    assert_eq!(
                        error(&items).category,
                        Category::Cut,
                        "{kind:?}, cut at {at}: {items:?}"
                    );
                }
            }
        }
    }
}
