//! Providers that fail in every way: what is asked again, what the reader is told, what is kept and what is charged.

use std::time::{Duration, Instant};

use across_testkit::vendor::{Answer, ScriptedVendor, Step};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{text, words},
    reliability::{MANY, ask, ask_whole, assistant, finish, line, questions, say, with_vendor},
};

fn usage(usage: &Value) -> Step {
    line(&json!({ "choices": [], "usage": usage }))
}

fn bytes(text: &str) -> Step {
    Step::Write(text.as_bytes().to_vec())
}

#[tokio::test]
async fn r22_a_provider_that_cannot_be_reached_costs_a_quarter_of_a_minute_and_nothing_else() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    // The models are known; then the vendor is gone.
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    drop(vendor);
    let begun = Instant::now();
    let outcome = ask(&admin, &assistant, "Hello?").await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    outcome.failed("ProviderError", "error");
    assert!(
        outcome.last()["retryable"] == json!(true) && outcome.is_free(),
        "{:?}",
        outcome.rows
    );
    let (status, body) = ask_whole(&admin, &assistant).await;
    assert_eq!((status, &body["error"]), (502, &json!("ProviderError")));
}

#[tokio::test]
async fn r23_a_provider_that_does_not_begin_in_time_is_given_up() {
    let (_server, vendor, admin) = with_vendor(&[("AI_ACROSS_PROVIDER_FIRST_BYTE_TIMEOUT", "1")]).await;
    let assistant = assistant(&admin).await;
    let late = Duration::from_secs(120);
    // Neither the head of the answer nor, after it, any words; signs of life are no words.
    let mut alive = vec![bytes(": alive\n\n")];
    alive.extend((0..100).flat_map(|_| [Step::Wait(Duration::from_millis(100)), bytes(": alive\n\n")]));
    for silent in [Answer::stream(vec![say("late")]).after(late), Answer::stream(alive)] {
        vendor.answer_next(silent.clone());
        vendor.answer_next(silent);
        let (asked, begun) = (questions(&vendor), Instant::now());
        let outcome = ask(&admin, &assistant, "Hello?").await;
        outcome.failed("ProviderTimeoutError", "error");
        assert_eq!(questions(&vendor), asked + 1, "silence is not asked again");
        let (status, body) = ask_whole(&admin, &assistant).await;
        assert_eq!((status, &body["error"]), (504, &json!("ProviderTimeoutError")));
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn r24_a_provider_that_falls_silent_in_the_middle_is_given_up_and_the_text_is_kept() {
    let (_server, vendor, admin) = with_vendor(&[("AI_ACROSS_PROVIDER_IDLE_TIMEOUT", "1")]).await;
    let assistant = assistant(&admin).await;
    let mut steps: Vec<_> = ["One ", "two ", "three "].into_iter().map(say).collect();
    steps.push(Step::Wait(Duration::from_secs(120)));
    vendor.answer_next(Answer::stream(steps));
    let outcome = ask(&admin, &assistant, "Count.").await;
    outcome.failed("ProviderTimeoutError", "interrupted");
    assert_eq!(outcome.kept["content"], "One two three ");
    assert!(outcome.is_charged_once(), "{:?}", outcome.rows);
}

#[tokio::test]
async fn r25_a_provider_that_is_busy_is_asked_again_as_it_wishes_and_not_by_everybody() {
    let (_server, vendor, admin) = with_vendor(&[MANY]).await;
    let assistant = assistant(&admin).await;
    let busy = || Answer::whole(429, "application/json", r#"{"error":{"message":"slow down"}}"#);
    let asked = |since: usize| questions(&vendor) - since;
    // It says when.
    vendor.answer_next(busy().with_header("retry-after", "1"));
    let (before, begun) = (questions(&vendor), Instant::now());
    assert_eq!(ask(&admin, &assistant, "Hello?").await.end().0, "done");
    assert!(asked(before) == 2 && begun.elapsed() >= Duration::from_secs(1));
    // It does not say when: three attempts.
    (0..3).for_each(|_| vendor.answer_next(busy()));
    let (before, begun) = (questions(&vendor), Instant::now());
    let outcome = ask(&admin, &assistant, "Hello?").await;
    outcome.failed("ProviderError", "error");
    assert!(outcome.last()["retryable"] == json!(true) && outcome.is_free());
    assert!(asked(before) == 3 && begun.elapsed() < Duration::from_secs(15));
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    // It wants an hour, which nobody waits for.
    vendor.answer_next(busy().with_header("retry-after", "3600"));
    let before = questions(&vendor);
    ask(&admin, &assistant, "Hello?").await.failed("ProviderError", "error");
    assert_eq!(asked(before), 1);
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    // Twenty at once do not become a herd, and after five failures in a row it is left alone.
    let overloaded = Answer::whole(503, "application/json", r#"{"error":{"message":"overloaded"}}"#);
    vendor.answer_always("/chat/completions", overloaded);
    let before = questions(&vendor);
    let all = join_all((0..20).map(|_| ask_whole(&admin, &assistant))).await;
    assert!(all.iter().all(|(status, _)| *status == 502), "{all:?}");
    assert!(asked(before) <= 60, "{} calls", asked(before));
    let before = questions(&vendor);
    assert_eq!(ask_whole(&admin, &assistant).await.0, 502);
    assert_eq!(asked(before), 0, "it is left alone");
}

#[tokio::test]
async fn r26_a_refusal_is_not_asked_again_and_its_key_is_marked() {
    let body = json!({ "error": { "message": "no", "type": "refused", "code": null } }).to_string();
    for (status, reason) in [
        (400, None),
        (404, None),
        (401, Some("key")),
        (402, Some("credit")),
        (403, Some("key")),
    ] {
        let (_server, vendor, admin) = with_vendor(&[]).await;
        let key = json!({ "provider": "openai", "name": "ours", "key": "sk-0123456789abcdef" });
        assert_eq!(admin.post("/api-keys", &key).await.0, 201);
        let assistant = assistant(&admin).await;
        vendor.answer_always(
            "/chat/completions",
            Answer::whole(status, "application/json", body.clone()),
        );
        let (told, answer) = ask_whole(&admin, &assistant).await;
        assert_eq!(
            (told, &answer["error"]),
            (502, &json!("ProviderError")),
            "{status}: {answer}"
        );
        assert_eq!(questions(&vendor), 1, "{status}");
        let (_, keys) = admin.get("/api-keys").await;
        let problem = &keys["api_keys"][0]["last_error"];
        assert_eq!(problem.is_string(), reason.is_some(), "{status}: {keys}");
    }
    // A parameter that is named is left out, once.
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let unknown = json!({ "error": { "message": "Unsupported parameter: 'temperature' is not supported with this model.",
        "type": "invalid_request_error", "param": "temperature", "code": "unsupported_parameter" } });
    vendor.answer_next(Answer::whole(400, "application/json", unknown.to_string()));
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    let requests = vendor.requests();
    let sent = requests
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"));
    let with_it: Vec<_> = sent.map(|request| request.body.get("temperature").is_some()).collect();
    assert_eq!(with_it, [true, false]);
}

#[tokio::test]
async fn r27_what_breaks_off_is_never_shown_as_complete() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let whole = format!(
        "data: {}\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "content": "שלום" } }] })
    );
    let in_a_character = whole.find('ל').unwrap() + 1;
    let part = |until: usize| Step::Write(whole.as_bytes()[..until].to_vec());
    for (steps, expected) in [
        (vec![say("One ")], "One "),
        (vec![say("One "), say("two "), say("three ")], "One two three "),
        (vec![say("One "), part(in_a_character)], "One "),
        (vec![say("One "), part(12)], "One "),
        // Not even a finish in sight, but a decent end of the transfer.
        (vec![say("One "), say("two ")], "One two "),
    ] {
        for is_cut in [true, false] {
            let mut steps = steps.clone();
            steps.extend(is_cut.then_some(Step::Cut));
            vendor.answer_next(Answer::stream(steps));
            let outcome = ask(&admin, &assistant, "Count.").await;
            outcome.failed("ProviderStreamInterruptedError", "interrupted");
            assert_eq!(outcome.kept["content"], expected);
            assert!(outcome.is_charged_once(), "{:?}", outcome.rows);
            // Five failures in a row would have it left alone.
            assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
        }
    }
    // Before the first word it is asked again, once.
    vendor.answer_always(
        "/chat/completions",
        Answer::stream(vec![bytes(": hello\n\n"), Step::Cut]),
    );
    let before = questions(&vendor);
    let outcome = ask(&admin, &assistant, "Count.").await;
    assert_eq!((outcome.end().0, outcome.end().2), ("error".into(), "error".into()));
    assert_eq!(questions(&vendor) - before, 2);
}

#[tokio::test]
async fn r28_an_error_in_the_middle_ends_the_answer_in_our_words() {
    let (server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let openai = json!({ "error": { "message": "upstream said sk-secret", "type": "server_error", "code": null } });
    let openrouter = json!({ "id": "gen-1", "error": { "code": 502, "message": "upstream said sk-secret" },
        "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }] });
    for failure in [openai, openrouter] {
        vendor.answer_next(Answer::stream(vec![say("One "), line(&failure)]));
        let outcome = ask(&admin, &assistant, "Count.").await;
        outcome.failed("ProviderError", "interrupted");
        assert_eq!(outcome.kept["content"], "One ");
        assert!(!outcome.last().to_string().contains("sk-secret"), "{}", outcome.last());
        assert!(outcome.is_charged_once(), "{:?}", outcome.rows);
    }
    drop(server);
}

#[tokio::test]
async fn r29_odd_streams_are_read_and_senseless_ones_end_as_failures() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let odd = json!({ "choices": [] });
    let null = json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": null } }] });
    let thought = json!({ "choices": [{ "index": 0, "delta": { "reasoning": "Hm." } }] });
    vendor.answer_next(Answer::stream(vec![
        bytes("\u{feff}: a comment\r\n\r\n"),
        line(&odd),
        line(&null),
        line(&thought),
        bytes("data:{\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"No space, two lines. \"}}]}\n\n"),
        bytes("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"CRLF.\"}}]}\r\n\r\n"),
        line(&odd),
        finish("stop"),
        bytes("data: [DONE]\n\n"),
    ]));
    let outcome = ask(&admin, &assistant, "Hello?").await;
    assert_eq!(outcome.end().0, "done", "{:?}", outcome.events);
    assert_eq!(outcome.kept["content"], "No space, two lines. CRLF.");
    // Garbage after some words, and nothing but thoughts or nothing at all.
    vendor.answer_next(Answer::stream(vec![
        say("One "),
        bytes("data: {not json\n\n"),
        finish("stop"),
    ]));
    let outcome = ask(&admin, &assistant, "Hello?").await;
    outcome.failed("ProviderError", "interrupted");
    assert_eq!(outcome.kept["content"], "One ");
    for empty in [vec![finish("stop")], vec![line(&odd), line(&null), finish("stop")]] {
        (0..2).for_each(|_| vendor.answer_next(Answer::stream(empty.clone())));
        let outcome = ask(&admin, &assistant, "Hello?").await;
        outcome.failed("ProviderError", "error");
        assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    }
    vendor.answer_next(Answer::stream(vec![line(&thought), finish("stop")]));
    let outcome = ask(&admin, &assistant, "Hello?").await;
    outcome.failed("ProviderError", "error");
}

#[tokio::test]
async fn r30_an_endless_answer_is_ended_and_costs_no_memory() {
    let (server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let flood = "flood ".repeat(10_000);
    // What is loaded once is loaded.
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    let before = server.memory();
    let mut steps: Vec<_> = (0..60).map(|_| say(&flood)).collect();
    steps.push(finish("stop"));
    vendor.answer_next(Answer::stream(steps));
    let outcome = ask(&admin, &assistant, "Hello?").await;
    assert_eq!(outcome.last()["finish_reason"], "length", "{}", outcome.last());
    assert!(text(&outcome.kept["content"]).len() <= 1024 * 1024);
    assert_eq!(words(&outcome.events), text(&outcome.kept["content"]));
    // One line without an end.
    let mut steps = vec![say("One "), bytes("data: {\"choices\":[{\"delta\":{\"content\":\"")];
    steps.extend((0..60).map(|_| bytes(&flood)));
    vendor.answer_next(Answer::stream(steps));
    let outcome = ask(&admin, &assistant, "Hello?").await;
    outcome.failed("ProviderError", "interrupted");
    assert_eq!(outcome.kept["content"], "One ");
    let grown = server.memory().saturating_sub(before) / 1024 / 1024;
    assert!(grown < 64, "{grown} MiB");
}

#[tokio::test]
async fn r31_a_count_that_cannot_be_true_is_not_charged_and_zero_is_zero() {
    let (server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let count = |prompt: i64, completion: i64| {
        Some(json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion }))
    };
    for (counted, is_estimated) in [
        (None, true),
        (count(0, 0), false),
        (count(-5, -7), true),
        (count(20, 900_000_000), true),
        (count(31, 4), false),
    ] {
        let mut steps = vec![say("Four words of answer."), finish("stop")];
        steps.extend(counted.as_ref().map(usage));
        vendor.answer_next(Answer::stream(steps));
        let outcome = ask(&admin, &assistant, "Hello?").await;
        assert_eq!(outcome.end().0, "done", "{:?}", outcome.events);
        let row = &outcome.rows[0];
        assert_eq!(
            (outcome.rows.len(), &row["estimated"]),
            (1, &json!(is_estimated)),
            "{counted:?}: {row}"
        );
        let total = row["total_tokens"].as_u64().unwrap();
        match &counted {
            Some(counted) if !is_estimated => assert_eq!(json!(total), counted["total_tokens"]),
            _ => assert!((5..1_000).contains(&total), "{counted:?}: {row}"),
        }
    }
    assert!(server.log().contains("cannot be true"));
}

#[tokio::test]
async fn r32_bombs_huge_heads_and_redirects_are_refused() {
    let (server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    assert_eq!(ask_whole(&admin, &assistant).await.0, 201);
    let before = server.memory();
    let elsewhere = ScriptedVendor::start().await.unwrap();
    let bomb = vec![0_u8; 20 * 1024 * 1024];
    for hostile in [
        Answer::redirect(307, &format!("{}/chat/completions", elsewhere.base_url)),
        Answer::stream(vec![say("Hello")]).with_header("x-long", &"x".repeat(10 * 1024 * 1024)),
        Answer::whole(200, "application/json", bomb).with_header("content-encoding", "gzip"),
    ] {
        vendor.answer_always("/chat/completions", hostile);
        let (status, body) = ask_whole(&admin, &assistant).await;
        assert_eq!(status, 502, "{body}");
    }
    assert!(elsewhere.requests().is_empty());
    let grown = server.memory().saturating_sub(before) / 1024 / 1024;
    assert!(grown < 64, "{grown} MiB");
}
