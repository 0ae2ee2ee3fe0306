//! Recorded answers in `transcripts/`, byte for byte: each folder holds a response and the events it must become.

use std::{fs, path::PathBuf};

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::{Category, ProviderError},
};
use across_testkit::vendor::{Answer, Step};

use crate::common::{answer, ask, error, pair, text};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/openai")
}

/// A `response.http`: the status, headers, an empty line, the body.
fn response(case: &str) -> (Answer, Vec<u8>) {
    let file = fs::read_to_string(folder().join(case).join("response.http")).unwrap();
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
        Err(error) => format!("{error}, retry after {:?}\n", error.retry_after),
    }
}

#[tokio::test]
async fn every_transcript_becomes_its_events() {
    let (vendor, adapter) = pair().await;
    let mut cases: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    cases.sort();
    assert!(cases.len() > 30);
    for case in cases {
        let (head, body) = response(&case);
        vendor.answer_next(Answer {
            steps: vec![Step::Write(body)],
            ..head
        });
        let events: String = answer(&adapter, ask("Hi")).await.iter().map(line).collect();
        insta::with_settings!({ snapshot_path => folder().join(&case), prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("events", events);
        });
    }
}

#[tokio::test]
async fn line_ends_do_not_matter() {
    let (vendor, adapter) = pair().await;
    let (head, body) = response("normal");
    let body = String::from_utf8(body).unwrap();
    let mut answers = Vec::new();
    for end in ["\n", "\r\n", "\r"] {
        vendor.answer_next(Answer {
            steps: vec![Step::Write(body.replace('\n', end).into())],
            ..head.clone()
        });
        answers.push(answer(&adapter, ask("Hi")).await);
    }
    assert_eq!(text(&answers[0]), "Hi, שלום 👋🏽 a\u{2028}b\n\"c\"");
    assert!(answers.iter().all(|other| *other == answers[0]));
}

#[tokio::test]
async fn every_split_of_the_bytes_gives_the_same_events() {
    let (vendor, adapter) = pair().await;
    let (head, body) = response("normal");
    vendor.answer_next(Answer {
        steps: vec![Step::Write(body.clone())],
        ..head.clone()
    });
    let whole = answer(&adapter, ask("Hi")).await;
    for at in 1..body.len() {
        let (left, right) = body.split_at(at);
        let steps = vec![Step::Write(left.to_vec()), Step::Write(right.to_vec())];
        vendor.answer_next(Answer { steps, ..head.clone() });
        assert_eq!(answer(&adapter, ask("Hi")).await, whole, "split at {at}");
    }
    let steps = body.iter().map(|byte| Step::Write(vec![*byte])).collect();
    vendor.answer_next(Answer { steps, ..head });
    assert_eq!(answer(&adapter, ask("Hi")).await, whole, "byte by byte");
}

/// Wherever the stream is cut, cleanly or by a broken connection: the words so far are kept, and only an answer whose
/// finish was seen is complete.
#[tokio::test]
async fn a_cut_answer_is_never_complete() {
    let (vendor, adapter) = pair().await;
    let (head, body) = response("normal");
    let whole = "Hi, שלום 👋🏽 a\u{2028}b\n\"c\"";
    let finish = "\"finish_reason\":\"stop\"}],\"usage\":null}";
    let finished_at = String::from_utf8(body.clone()).unwrap().find(finish).unwrap() + finish.len();
    for at in 0..body.len() {
        for broken in [false, true] {
            let mut steps = vec![Step::Write(body[..at].to_vec())];
            steps.extend(broken.then_some(Step::Cut));
            vendor.answer_next(Answer { steps, ..head.clone() });
            let items = answer(&adapter, ask("Hi")).await;
            let text = text(&items);
            assert!(whole.starts_with(&text), "cut at {at}: {text:?}");
            if at >= finished_at {
                assert_eq!(
                    items.last(),
                    Some(&Ok(ChatEvent::Finish(FinishReason::Stop))),
                    "cut at {at}"
                );
                assert_eq!(text, whole);
            } else {
                let expected: &[Category] = if text.is_empty() {
                    &[Category::Network, Category::Malformed]
                } else {
                    &[Category::Cut]
                };
                assert!(expected.contains(&error(&items).category), "cut at {at}: {items:?}");
            }
        }
    }
}
