//! An answer lives longer than whoever reads or writes it: it is joined from anywhere, stopped from anywhere, and never left
//! behind half-written.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{
    Person, Server, Stream,
    database::Backend,
    eventually, text,
    upstream::{Call, Upstream},
    words,
};

/// A conversation with an assistant whose model the vendor serves.
async fn conversation(person: &Person) -> String {
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini", "max_tokens": 4_000 });
    let (status, made) = person.post("/assistants", &body).await;
    assert_eq!(status, 201, "{made}");
    person.conversation(&text(&made["id"])).await
}

/// Asks, and waits until the vendor has the question.
async fn ask(person: &Person, conversation: &str, vendor: &mut Upstream) -> (Stream, String, Call) {
    let mut stream = person.ask(conversation, "Tell me of the sea.").await;
    let message = text(&stream.until("start").await["message_id"]);
    let call = vendor.call().await;
    (stream, message, call)
}

/// Reads until so much text has come.
async fn read(stream: &mut Stream, bytes: usize) {
    while words(&stream.events).len() < bytes {
        stream.until("chunk").await;
    }
}

fn path(conversation: &str, message: &str) -> String {
    format!("/conversations/{conversation}/messages/{message}")
}

/// The message once the database has this much of it.
async fn saved(person: &Person, conversation: &str, message: &str, bytes: usize) -> String {
    eventually(async || {
        let (_, found) = person.get(&path(conversation, message)).await;
        let content = text(&found["content"]);
        (content.len() >= bytes).then_some(content)
    })
    .await
}

fn endings(events: &[Value]) -> usize {
    let ends = |event: &&Value| event["type"] == "done" || event["type"] == "error";
    events.iter().filter(ends).count()
}

async fn usage_rows(person: &Person, conversation: &str) -> Vec<Value> {
    let (_, listed) = person.get("/usage?limit=100").await;
    let rows = listed["usage"].as_array().unwrap().iter();
    rows.filter(|row| row["conversation_id"] == json!(conversation))
        .cloned()
        .collect()
}

async fn pair() -> Option<(Server, Server, Upstream)> {
    let vendor = Upstream::start().await;
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())];
    let (one, two) = Server::pair(&settings).await?;
    Some((one, two, vendor))
}

#[tokio::test]
async fn an_answer_that_another_instance_writes_is_read_as_it_grows() {
    let Some((one, two, mut vendor)) = pair().await else {
        return;
    };
    let (here, there) = (one.admin().await, two.admin().await);
    let id = conversation(&here).await;
    let (mut first, message, mut call) = ask(&here, &id, &mut vendor).await;
    call.begin().await;
    let half = "Waves, גלים. ".repeat(200);
    call.say(&half).await;
    read(&mut first, half.len()).await;
    saved(&there, &id, &message, half.len()).await;
    let mut second = there.join(&id, &message).await;
    let start = second.until("start").await;
    assert_eq!(start, first.events[0]);
    assert_eq!(second.until("chunk").await["content"], json!(half));
    let rest = "And tides. ".repeat(300);
    call.say(&rest).await;
    read(&mut second, half.len() + rest.len()).await;
    call.finish(20, 500).await;
    let (first, second) = tokio::join!(first.all(), second.all());
    assert_eq!(words(&second), format!("{half}{rest}"));
    assert_eq!(words(&first), words(&second));
    assert_eq!((endings(&first), endings(&second)), (1, 1));
    // The count, its cost and the end are the same for both, and for who comes afterwards.
    assert_eq!(first[first.len() - 2..], second[second.len() - 2..]);
    let after = there.join(&id, &message).await.all().await;
    let kinds: Vec<_> = after.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["start", "chunk", "usage", "done"]);
    assert_eq!(words(&after), words(&first));
    assert_eq!(after[2], first[first.len() - 2]);
    assert!(after[2]["usage"]["cost_usd"].as_f64().unwrap() > 0.0, "{after:?}");
}

#[tokio::test]
async fn r33_stop_reaches_the_vendor_within_two_seconds_from_any_instance() {
    let Some((one, two, mut vendor)) = pair().await else {
        return;
    };
    let (here, there) = (one.admin().await, two.admin().await);
    for (stopper, has_begun) in [(&here, false), (&here, true), (&there, false), (&there, true)] {
        let id = conversation(&here).await;
        let (mut stream, message, mut call) = ask(&here, &id, &mut vendor).await;
        if has_begun {
            call.begin().await;
            call.say("Half of ").await;
            stream.until("chunk").await;
        }
        let begun = Instant::now();
        let (_, told) = stopper.post(&format!("/conversations/{id}/stop"), &json!({})).await;
        assert_eq!(told, json!({ "stopped": true }));
        call.closed().await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let events = stream.all().await;
        assert_eq!(events.last().unwrap()["finish_reason"], "stopped", "{events:?}");
        let kept = there.get(&path(&id, &message)).await.1;
        assert_eq!(
            (&kept["status"], text(&kept["content"])),
            (&json!("stopped"), words(&events))
        );
        assert_eq!(usage_rows(&there, &id).await.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_whose_writer_died_ends_for_its_readers_and_keeps_nobody_waiting() {
    let Some((mut one, two, mut vendor)) = pair().await else {
        return;
    };
    let (here, there) = (one.admin().await, two.admin().await);
    let id = conversation(&here).await;
    let (mut stream, message, mut call) = ask(&here, &id, &mut vendor).await;
    call.begin().await;
    let words_so_far = "Waves. ".repeat(500);
    call.say(&words_so_far).await;
    read(&mut stream, words_so_far.len()).await;
    saved(&there, &id, &message, words_so_far.len()).await;
    let mut reader = there.join(&id, &message).await;
    reader.until("chunk").await;
    one.kill();
    let question = json!({ "content": "And now?", "stream": true });
    let messages = format!("/conversations/{id}/messages");
    assert_eq!(there.post(&messages, &question).await.0, 409, "nobody knows yet");
    // Half a minute later.
    let stored = two.database().await;
    stored
        .execute("UPDATE messages SET lease_until = created_at WHERE status = 'streaming'")
        .await;
    stored.close().await;
    let mut next = there.ask(&id, "And now?").await;
    let mut call = vendor.call().await;
    let turns = call.body["messages"].as_array().unwrap();
    assert_eq!(
        turns.len(),
        4,
        "the frame, the first question, what came of it, the second: {turns:?}"
    );
    call.begin().await;
    call.say("Calm.").await;
    next.until("chunk").await;
    call.finish(20, 2).await;
    assert_eq!(next.all().await.last().unwrap()["type"], "done");
    let events = reader.all().await;
    let last = events.last().unwrap();
    assert_eq!(
        (&last["error"], &last["status"]),
        (&json!("ServiceUnavailableError"), &json!("interrupted"))
    );
    assert_eq!((endings(&events), words(&events)), (1, words_so_far));
    let rows = usage_rows(&there, &id).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    drop(one);
}

#[tokio::test]
async fn r04_killed_in_mid_answer_little_is_lost_and_the_conversation_goes_on() {
    let mut vendor = Upstream::start().await;
    let base = vendor.base_url.clone();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", base.as_str())];
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = Server::start_on(backend, &settings).await else {
            continue;
        };
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (mut stream, message, mut call) = ask(&admin, &id, &mut vendor).await;
        call.begin().await;
        // A little text is saved after a while,
        call.say("Slowly. ").await;
        stream.until("chunk").await;
        let begun = Instant::now();
        saved(&admin, &id, &message, 8).await;
        assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
        // much of it as it comes.
        let piece = "Quickly, מהר. ".repeat(6);
        for _ in 0..200 {
            call.say(&piece).await;
        }
        let all = 8 + 200 * piece.len();
        read(&mut stream, all).await;
        let said = words(&stream.events);
        let server = server.kill_and_restart().await;
        let admin = server.admin().await;
        let (_, kept) = admin.get(&path(&id, &message)).await;
        let content = text(&kept["content"]);
        assert_eq!(kept["status"], json!("interrupted"), "{backend:?}");
        assert!(said.starts_with(&content));
        let lost = said.len() - content.len();
        assert!(lost <= 2 * 1024 + piece.len(), "{backend:?}: {lost} bytes are lost");
        let (_, listed) = admin.get(&format!("/conversations/{id}/messages")).await;
        assert_eq!(listed["messages"][0]["content"], json!("Tell me of the sea."));
        let rows = usage_rows(&admin, &id).await;
        assert_eq!((rows.len(), &rows[0]["estimated"]), (1, &json!(true)), "{rows:?}");
        assert!(rows[0]["completion_tokens"].as_u64().unwrap() > 500, "{rows:?}");
        let mut next = admin.ask(&id, "And now?").await;
        let mut call = vendor.call().await;
        call.begin().await;
        call.say("Calm.").await;
        next.until("chunk").await;
        call.finish(20, 2).await;
        assert_eq!(next.all().await.last().unwrap()["type"], "done");
    }
}

#[tokio::test]
async fn r05_whoever_heard_done_finds_the_answer_complete_after_kill_9() {
    let mut vendor = Upstream::start().await;
    let base = vendor.base_url.clone();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", base.as_str())];
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(mut server) = Server::start_on(backend, &settings).await else {
            continue;
        };
        for _ in 0..3 {
            let admin = server.admin().await;
            let id = conversation(&admin).await;
            let (mut stream, message, mut call) = ask(&admin, &id, &mut vendor).await;
            call.begin().await;
            call.say("All of it.").await;
            call.finish(20, 4).await;
            stream.until("done").await;
            server = server.kill_and_restart().await;
            let admin = server.admin().await;
            let (_, kept) = admin.get(&path(&id, &message)).await;
            assert_eq!(
                (&kept["status"], &kept["content"], &kept["finish_reason"]),
                (&json!("complete"), &json!("All of it."), &json!("stop"))
            );
            let rows = usage_rows(&admin, &id).await;
            assert_eq!((rows.len(), &rows[0]["total_tokens"]), (1, &json!(24)), "{rows:?}");
        }
    }
}

#[tokio::test]
async fn r33_who_leaves_does_not_end_the_answer_and_who_comes_reads_all_of_it() {
    let mut vendor = Upstream::start().await;
    let base = vendor.base_url.clone();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", base.as_str())];
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = Server::start_on(backend, &settings).await else {
            continue;
        };
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (mut first, message, mut call) = ask(&admin, &id, &mut vendor).await;
        call.begin().await;
        for number in 0..3 {
            call.say(&format!("word{number} ")).await;
        }
        read(&mut first, 18).await;
        drop(first);
        // A second device, in the middle.
        let second_device = server.admin().await;
        let mut second = second_device.join(&id, &message).await;
        read(&mut second, 18).await;
        for number in 3..9 {
            call.say(&format!("word{number} ")).await;
        }
        call.finish(20, 18).await;
        let events = second.all().await;
        let all: String = (0..9).map(|number| format!("word{number} ")).collect();
        assert_eq!((words(&events), endings(&events)), (all.clone(), 1));
        let (_, kept) = admin.get(&path(&id, &message)).await;
        assert_eq!(
            (&kept["status"], &kept["content"], &kept["tokens_used"]["total_tokens"]),
            (&json!("complete"), &json!(all), &json!(38))
        );
        assert_eq!(usage_rows(&admin, &id).await.len(), 1);
        assert_eq!(words(&admin.join(&id, &message).await.all().await), all);
    }
}
