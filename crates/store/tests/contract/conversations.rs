//! Conversations: their owners only, one answer at a time, dense order, the active path, and ends that happen once.

use std::time::{Duration, Instant};

use across::{
    assistants::AssistantStore as _,
    audit::Action,
    conversations::{
        conversation::{Begun, ConversationStore as _, Created, Dead, Ending, Filter, MessageFilter, NewTurn},
        message::{Citation, Message, RetrievalOutcome, State, TokensUsed, Why},
        tree::{MessageTree as _, PathEnd},
    },
    id::{AssistantId, ConversationId, FileId, MessageId, UserId},
    money::{MicroUsd, Price},
    page::PageRequest,
    providers::chat::Speaker,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, progress, turn};

crate::contracts!(
    a_conversation_comes_back,
    others_see_nothing,
    a_turn_is_two_messages,
    one_answer_at_a_time,
    answers_end_once,
    a_stop_reaches_the_writer,
    abandoned_answers_are_interrupted,
    the_active_path_is_the_heads,
    lists_are_ordered_and_searched,
    archived_assistants_take_no_turns,
    deleting_takes_the_messages,
    long_conversations_stay_fast,
    old_conversations_expire_unless_they_are_being_answered,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };

struct Scene {
    anna: UserId,
    otto: UserId,
    assistant: AssistantId,
    conversation: ConversationId,
}

async fn scene(bench: &Bench) -> Scene {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    let conversation = bench.conversation(anna, assistant).await;
    Scene {
        anna,
        otto,
        assistant,
        conversation,
    }
}

async fn begin(bench: &Bench, turn: NewTurn) -> (Message, Message) {
    match bench.store.begin_turn(turn).await.unwrap() {
        Begun::Yes(both) => *both,
        other => panic!("{other:?}"),
    }
}

fn ending(content: &str, state: State, seconds: i64) -> Ending {
    Ending {
        content: content.into(),
        state,
        error: None,
        finish_reason: Some("stop".into()),
        provider: Some("openai".into()),
        failover: None,
        tokens: Some(TokensUsed {
            prompt: 10,
            completion: 5,
            estimated: false,
            cost: Some(MicroUsd(21)),
        }),
        spent: None,
        at: at(seconds),
    }
}

/// A whole exchange; the ids of question and answer.
async fn exchange(bench: &Bench, scene: &Scene, text: &str, seconds: i64) -> (MessageId, MessageId) {
    let (question, answer) = begin(bench, turn(scene.anna, scene.conversation, text, seconds)).await;
    bench
        .store
        .finish(answer.id, ending(&format!("re: {text}"), State::Complete, seconds + 1))
        .await
        .unwrap();
    (question.id, answer.id)
}

async fn list(bench: &Bench, scene: &Scene, filter: MessageFilter, page: PageRequest) -> (Vec<String>, u64) {
    let page = bench
        .store
        .list_messages(scene.anna, scene.conversation, filter, page)
        .await
        .unwrap()
        .unwrap();
    (
        page.items.into_iter().map(|message| message.content).collect(),
        page.total,
    )
}

async fn message(bench: &Bench, scene: &Scene, id: MessageId) -> Message {
    bench
        .store
        .find_message(scene.anna, scene.conversation, id)
        .await
        .unwrap()
        .unwrap()
}

async fn a_conversation_comes_back(bench: &Bench) {
    let scene = scene(bench).await;
    let store = &bench.store;
    let found = store
        .find_conversation(scene.anna, scene.conversation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.owner, found.assistant, found.assistant_name.as_str()),
        (scene.anna, scene.assistant, "Press")
    );
    assert_eq!(
        (found.message_count, found.head, found.generating, found.last_message_at),
        (0, None, None, None)
    );
    assert_eq!((found.title.as_str(), found.assistant_deleted), ("", false));
    let renamed = store
        .rename_conversation(scene.anna, scene.conversation, "Neu", at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((renamed.title.as_str(), renamed.updated_at), ("Neu", at(5)));
    let none = store
        .create_conversation(ConversationId::new(), scene.anna, AssistantId::new(), "", at(0))
        .await;
    assert_eq!(none.unwrap(), Created::NoAssistant);
}

async fn others_see_nothing(bench: &Bench) {
    let scene = scene(bench).await;
    let (otto, id) = (scene.otto, scene.conversation);
    let (question, answer) = begin(bench, turn(scene.anna, id, "secret", 1)).await;
    let own = bench.conversation(otto, scene.assistant).await;
    let store = &bench.store;
    assert_eq!(store.find_conversation(otto, id).await.unwrap(), None);
    assert_eq!(store.rename_conversation(otto, id, "mine", at(2)).await.unwrap(), None);
    assert!(!store.delete_conversation(otto, id).await.unwrap());
    assert_eq!(
        store
            .list_messages(otto, id, MessageFilter::default(), ALL)
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.find_message(otto, id, question.id).await.unwrap(), None);
    assert_eq!(store.find_message(otto, own, question.id).await.unwrap(), None);
    assert_eq!(store.request_stop(otto, id, None).await.unwrap(), None);
    assert_eq!(
        store.request_stop(otto, own, Some(answer.id)).await.unwrap(),
        Some(Vec::new())
    );
    assert_eq!(
        store.begin_turn(turn(otto, id, "intrude", 2)).await.unwrap(),
        Begun::Missing
    );
    assert_eq!(
        store
            .list_conversations(otto, &Filter::default(), ALL)
            .await
            .unwrap()
            .total,
        1
    );
    assert!(!store.stop_requested(answer.id).await.unwrap());
    let untouched = store.find_conversation(scene.anna, id).await.unwrap().unwrap();
    assert_eq!((untouched.title.as_str(), untouched.message_count), ("A title", 2));
    // A message of one's own conversation under another of one's own.
    let second = bench.conversation(scene.anna, scene.assistant).await;
    assert_eq!(store.find_message(scene.anna, second, question.id).await.unwrap(), None);
}

async fn a_turn_is_two_messages(bench: &Bench) {
    let scene = scene(bench).await;
    let citation = Citation {
        index: 1,
        file: FileId::new(),
        filename: "a.pdf".into(),
        chunk_index: 3,
        last_chunk_index: 4,
        page: Some(2),
        start: 100,
        end: 250,
        score: 0.83,
        cosine: Some(0.41),
        heading: Some("Plan › Launch".into()),
        snippet: "words \0 words".into(),
        why: Some(Why {
            vector_rank: None,
            keyword_rank: Some(2),
            fused_rank: 1,
            matched_words: vec!["words".into()],
            threshold: 0.7,
        }),
    };
    let mut first = turn(scene.anna, scene.conversation, "Hello\0!", 1);
    first.citations = vec![citation.clone()];
    first.retrieval = Some(RetrievalOutcome::Ok);
    let (question, answer) = begin(bench, first).await;
    assert_eq!((question.speaker, answer.speaker), (Speaker::User, Speaker::Assistant));
    assert_eq!(
        (question.seq, answer.seq, question.parent, answer.parent),
        (1, 2, None, Some(question.id))
    );
    assert_eq!((question.state, answer.state), (State::Complete, State::Streaming));
    assert_eq!(
        (question.content.as_str(), answer.content.as_str()),
        ("Hello\u{fffd}!", "")
    );
    assert_eq!(
        (question.model.as_deref(), answer.model.as_deref()),
        (None, Some("gpt"))
    );
    assert_eq!(
        (question.retrieval, answer.retrieval),
        (None, Some(RetrievalOutcome::Ok))
    );
    let kept = Citation {
        snippet: "words \u{fffd} words".into(),
        ..citation
    };
    assert_eq!(
        (question.citations.as_slice(), answer.citations.as_slice()),
        (&[][..], &[kept][..])
    );
    assert_eq!(message(bench, &scene, answer.id).await, answer);

    let now = bench
        .store
        .find_conversation(scene.anna, scene.conversation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (now.head, now.generating, now.message_count),
        (Some(answer.id), Some(answer.id), 2)
    );
    assert_eq!((now.title.as_str(), now.last_message_at), ("A title", Some(at(1))));

    bench
        .store
        .finish(answer.id, ending("Hi", State::Complete, 2))
        .await
        .unwrap();
    let done = message(bench, &scene, answer.id).await;
    assert_eq!(
        (done.state, done.content.as_str(), done.model.as_deref()),
        (State::Complete, "Hi", Some("gpt"))
    );
    assert_eq!(
        done.tokens,
        Some(TokensUsed {
            prompt: 10,
            completion: 5,
            estimated: false,
            cost: Some(MicroUsd(21)),
        })
    );
    assert_eq!(
        (done.provider.as_deref(), done.finish_reason.as_deref()),
        (Some("openai"), Some("stop"))
    );

    // The second turn follows the first, even if the clock jumped back, and the title stays.
    let mut second = turn(scene.anna, scene.conversation, "More", -1_000);
    second.title = Some("Another".into());
    let (question, next) = begin(bench, second).await;
    assert_eq!((question.seq, next.seq, question.parent), (3, 4, Some(answer.id)));
    let now = bench
        .store
        .find_conversation(scene.anna, scene.conversation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.title, "A title");

    // Without a title to give, a conversation stays without one.
    let nameless = bench.conversation(scene.anna, scene.assistant).await;
    let mut turn = turn(scene.anna, nameless, "Hello", 5);
    turn.title = None;
    begin(bench, turn).await;
    let now = bench
        .store
        .find_conversation(scene.anna, nameless)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.title, "");
}

async fn one_answer_at_a_time(bench: &Bench) {
    let scene = scene(bench).await;
    let another = bench.another().await;
    let tries = (0..12).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.begin_turn(turn(scene.anna, scene.conversation, &format!("try {i}"), i))
    });
    let mut begun = Vec::new();
    let mut busy = Vec::new();
    for result in join_all(tries).await {
        match result.unwrap() {
            Begun::Yes(both) => begun.push(both.1.id),
            Begun::Busy(id) => busy.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((begun.len(), busy.len()), (1, 11));
    assert!(busy.iter().all(|id| *id == begun[0]));
    bench
        .store
        .finish(begun[0], ending("x", State::Complete, 20))
        .await
        .unwrap();
    let (question, _) = begin(bench, turn(scene.anna, scene.conversation, "next", 21)).await;
    assert_eq!(question.seq, 3);
}

async fn answers_end_once(bench: &Bench) {
    let scene = scene(bench).await;
    let (_, answer) = begin(bench, turn(scene.anna, scene.conversation, "q", 1)).await;
    let mut failed = ending("half", State::Interrupted, 2);
    failed.error = Some(("ProviderError".into(), "It failed.".into()));
    bench.store.finish(answer.id, failed).await.unwrap();
    bench
        .store
        .finish(answer.id, ending("other", State::Complete, 3))
        .await
        .unwrap();
    let kept = message(bench, &scene, answer.id).await;
    assert_eq!(
        (kept.content.as_str(), kept.state, kept.model.as_deref()),
        ("half", State::Interrupted, Some("gpt"))
    );
    assert_eq!(kept.error, Some(("ProviderError".into(), "It failed.".into())));
    // It is no longer being written: the writer is told, and nothing is changed.
    assert!(bench.store.checkpoint(answer.id, progress("late", 90)).await.unwrap());
    assert_eq!(message(bench, &scene, answer.id).await, kept);
}

async fn a_stop_reaches_the_writer(bench: &Bench) {
    let scene = scene(bench).await;
    let store = &bench.store;
    assert_eq!(
        store.request_stop(scene.anna, scene.conversation, None).await.unwrap(),
        Some(Vec::new())
    );
    let (question, answer) = begin(bench, turn(scene.anna, scene.conversation, "q", 1)).await;
    assert!(!store.checkpoint(answer.id, progress("so far", 61)).await.unwrap());
    assert_eq!(message(bench, &scene, answer.id).await.content, "so far");
    let stop = |only| store.request_stop(scene.anna, scene.conversation, only);
    assert_eq!(stop(Some(question.id)).await.unwrap(), Some(Vec::new()));
    assert!(!store.stop_requested(answer.id).await.unwrap());
    assert_eq!(
        bench
            .another()
            .await
            .request_stop(scene.anna, scene.conversation, Some(answer.id))
            .await
            .unwrap(),
        Some(vec![answer.id])
    );
    assert!(store.stop_requested(answer.id).await.unwrap());
    assert!(store.checkpoint(answer.id, progress("so far and", 62)).await.unwrap());
    store
        .finish(answer.id, ending("so far and", State::Stopped, 3))
        .await
        .unwrap();
    assert_eq!(stop(None).await.unwrap(), Some(Vec::new()));
    assert!(store.stop_requested(MessageId::new()).await.unwrap());
}

async fn abandoned_answers_are_interrupted(bench: &Bench) {
    let scene = scene(bench).await;
    let store = &bench.store;
    let mut first = turn(scene.anna, scene.conversation, "a question of several words", 0);
    let price = Price {
        prompt: MicroUsd(1_000_000),
        completion: MicroUsd(2_000_000),
    };
    first.call = first.call.worth(40, 1_000, price);
    let (_, dead) = begin(bench, first).await;
    store
        .checkpoint(dead.id, progress("Some words of an answer", 60))
        .await
        .unwrap();
    let alive = bench.conversation(scene.anna, scene.assistant).await;
    let (_, living) = begin(bench, turn(scene.anna, alive, "q", 100)).await;

    assert_eq!(store.interrupt_abandoned(at(60), Dead::Expired).await.unwrap(), 0);
    assert_eq!(store.interrupt_abandoned(at(61), Dead::Expired).await.unwrap(), 1);
    let kept = message(bench, &scene, dead.id).await;
    assert_eq!(
        (kept.state, kept.content.as_str()),
        (State::Interrupted, "Some words of an answer")
    );
    let tokens = kept.tokens.unwrap();
    assert!(
        tokens.estimated && tokens.completion == 5 && tokens.prompt == 40,
        "what was asked is known from what was set aside: {tokens:?}"
    );
    assert_eq!(tokens.cost, Some(MicroUsd(50)));
    assert!(kept.error.is_some());
    assert!(!store.stop_requested(living.id).await.unwrap());
    // The conversation is usable at once.
    begin(bench, turn(scene.anna, scene.conversation, "again", 70)).await;
    assert_eq!(store.interrupt_abandoned(at(61), Dead::Everyone).await.unwrap(), 2);
    assert_eq!(store.interrupt_abandoned(at(61), Dead::Everyone).await.unwrap(), 0);
}

async fn the_active_path_is_the_heads(bench: &Bench) {
    let scene = scene(bench).await;
    let (_, first) = exchange(bench, &scene, "one", 1).await;
    let (second, _) = exchange(bench, &scene, "two", 3).await;
    // A branch: the head goes back to the first answer, and another question follows it.
    let uuid = |id: MessageId| {
        let text = id.uuid();
        if bench.url.starts_with("sqlite") {
            format!("x'{}'", text.simple())
        } else {
            format!("'{text}'")
        }
    };
    assert_eq!(
        bench
            .run(&format!("UPDATE conversations SET head_id = {}", uuid(first)))
            .await,
        1
    );
    let (third, _) = exchange(bench, &scene, "three", 5).await;

    let active = MessageFilter::default();
    let (texts, total) = list(bench, &scene, active, ALL).await;
    assert_eq!(
        (texts, total),
        (["one", "re: one", "three", "re: three"].map(String::from).to_vec(), 4)
    );
    let (texts, total) = list(
        bench,
        &scene,
        MessageFilter {
            all_branches: true,
            ..active
        },
        ALL,
    )
    .await;
    assert_eq!(
        (texts.len(), total, texts[2].as_str(), texts[4].as_str()),
        (6, 6, "two", "three")
    );
    let (texts, total) = list(
        bench,
        &scene,
        MessageFilter {
            descending: true,
            ..active
        },
        PageRequest { limit: 2, offset: 1 },
    )
    .await;
    assert_eq!((texts, total), (["three", "re: one"].map(String::from).to_vec(), 4));
    let (texts, total) = list(bench, &scene, active, PageRequest { limit: 2, offset: 50 }).await;
    assert_eq!((texts.len(), total), (0, 4));

    let (old, new) = (
        message(bench, &scene, second).await,
        message(bench, &scene, third).await,
    );
    assert_eq!(
        (
            old.sibling_index,
            old.sibling_count,
            new.sibling_index,
            new.sibling_count
        ),
        (0, 2, 1, 2)
    );
    assert_eq!((old.seq, new.seq), (3, 5));
    let path = bench
        .store
        .path_to(scene.anna, scene.conversation, PathEnd::Head, 3)
        .await
        .unwrap();
    let contents: Vec<_> = path.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents, ["re: one", "three", "re: three"]);
    assert_eq!((path[1].id, path[1].parent), (new.id, new.parent));
    let path_to = |owner, id, end| async move {
        let path = bench.store.path_to(owner, id, end, 100).await.unwrap();
        path.into_iter().map(|message| message.content).collect::<Vec<_>>()
    };
    assert_eq!(path_to(scene.anna, scene.conversation, PathEnd::Head).await.len(), 4);
    let elsewhere = path_to(scene.anna, scene.conversation, PathEnd::At(second)).await;
    assert_eq!(
        elsewhere,
        ["one", "re: one", "two"],
        "also of a branch that is not active"
    );
    let other = bench.conversation(scene.anna, scene.assistant).await;
    for (owner, id, end) in [
        (scene.otto, scene.conversation, PathEnd::Head),
        (scene.anna, ConversationId::new(), PathEnd::Head),
        (scene.anna, other, PathEnd::At(second)),
        (scene.anna, scene.conversation, PathEnd::At(MessageId::new())),
    ] {
        assert_eq!(path_to(owner, id, end).await, Vec::<String>::new());
    }
}

async fn lists_are_ordered_and_searched(bench: &Bench) {
    let scene = scene(bench).await;
    let other = bench.assistant("Other").await;
    for (i, title) in ["Ärger 50%", "under_line", "plain"].into_iter().enumerate() {
        let id = ConversationId::new();
        bench
            .store
            .create_conversation(id, scene.anna, other, title, at(10 + i as i64))
            .await
            .unwrap();
    }
    let names = |filter: Filter| async move {
        let page = bench.store.list_conversations(scene.anna, &filter, ALL).await.unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.items
            .into_iter()
            .map(|conversation| conversation.title)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Filter::default()).await, ["plain", "under_line", "Ärger 50%", ""]);
    begin(bench, turn(scene.anna, scene.conversation, "q", 50)).await;
    assert_eq!(names(Filter::default()).await[0], "A title");
    let search = |text: &str| Filter {
        search: Some(text.into()),
        ..Filter::default()
    };
    assert_eq!(names(search("ÄRGER")).await, ["Ärger 50%"]);
    assert_eq!(names(search("0%")).await, ["Ärger 50%"]);
    assert_eq!(names(search("_")).await, ["under_line"]);
    assert_eq!(names(search("%")).await, ["Ärger 50%"]);
    assert_eq!(
        names(Filter {
            assistant: Some(scene.assistant),
            ..Filter::default()
        })
        .await,
        ["A title"]
    );
}

async fn archived_assistants_take_no_turns(bench: &Bench) {
    let scene = scene(bench).await;
    exchange(bench, &scene, "before", 1).await;
    bench
        .store
        .archive_assistant(scene.assistant, None, deed(Action::AssistantDelete, 5))
        .await
        .unwrap();
    let refused = bench
        .store
        .begin_turn(turn(scene.anna, scene.conversation, "after", 6))
        .await
        .unwrap();
    assert_eq!(refused, Begun::AssistantDeleted);
    assert!(
        bench
            .store
            .find_conversation(scene.anna, scene.conversation)
            .await
            .unwrap()
            .unwrap()
            .assistant_deleted
    );
    assert_eq!(list(bench, &scene, MessageFilter::default(), ALL).await.1, 2);
    let none = bench
        .store
        .create_conversation(ConversationId::new(), scene.anna, scene.assistant, "", at(7))
        .await;
    assert_eq!(none.unwrap(), Created::NoAssistant);
}

async fn deleting_takes_the_messages(bench: &Bench) {
    let scene = scene(bench).await;
    exchange(bench, &scene, "one", 1).await;
    let (_, running) = begin(bench, turn(scene.anna, scene.conversation, "two", 3)).await;
    assert!(
        bench
            .store
            .delete_conversation(scene.anna, scene.conversation)
            .await
            .unwrap()
    );
    assert!(
        !bench
            .store
            .delete_conversation(scene.anna, scene.conversation)
            .await
            .unwrap()
    );
    // Whoever still writes there is told to end it, and that harms nothing.
    assert!(bench.store.checkpoint(running.id, progress("x", 70)).await.unwrap());
    bench
        .store
        .finish(running.id, ending("x", State::Complete, 9))
        .await
        .unwrap();
    assert_eq!(bench.run("DELETE FROM messages").await, 0);
}

async fn long_conversations_stay_fast(bench: &Bench) {
    let scene = scene(bench).await;
    let (_, first) = exchange(bench, &scene, "first", 1).await;
    // A chain of 4 998 more messages, made behind the store's back.
    let is_file = bench.url.starts_with("sqlite");
    let id = |n: &str| {
        if is_file {
            format!("CAST(printf('%016d', {n}) AS BLOB)")
        } else {
            format!("CAST(lpad(CAST({n} AS TEXT), 32, '0') AS UUID)")
        }
    };
    let first = first.uuid();
    let uuid = if is_file {
        format!("x'{}'", first.simple())
    } else {
        format!("CAST('{first}' AS UUID)")
    };
    let (this, previous) = (id("n"), id("n - 1"));
    let sql = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) \
         INSERT INTO messages (id, conversation_id, parent_id, seq, role, content, status, citations, stop_requested, created_at) \
         SELECT {this}, c.id, CASE WHEN n = 3 THEN {uuid} ELSE {previous} END, n, \
         CASE WHEN n % 2 = 1 THEN 'user' ELSE 'assistant' END, 'words', 'complete', '[]', FALSE, c.created_at \
         FROM numbers CROSS JOIN conversations c"
    );
    assert_eq!(bench.run(&sql).await, 4_998);
    let head = id("5000");
    bench
        .run(&format!("UPDATE conversations SET last_seq = 5000, head_id = {head}"))
        .await;

    let started = Instant::now();
    let last = PageRequest {
        limit: 50,
        offset: 4_950,
    };
    let (texts, total) = list(bench, &scene, MessageFilter::default(), last).await;
    assert_eq!((texts.len(), total), (50, 5_000));
    let path = bench
        .store
        .path_to(scene.anna, scene.conversation, PathEnd::Head, 5_000)
        .await
        .unwrap();
    assert_eq!((path.len(), path[0].content.as_str()), (5_000, "first"));
    assert!(path.windows(2).all(|pair| pair[1].parent == Some(pair[0].id)));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

async fn old_conversations_expire_unless_they_are_being_answered(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let mut conversations = Vec::new();
    for _ in 0..4 {
        conversations.push(bench.conversation(user, assistant).await);
    }
    let [answered, used, ..] = conversations[..] else {
        panic!()
    };
    begin(bench, turn(user, answered, "Hello", 1)).await;
    let (_, answer) = begin(bench, turn(user, used, "Hello", 100)).await;
    bench
        .store
        .finish(answer.id, ending("Hi", State::Complete, 101))
        .await
        .unwrap();
    let left = || async {
        let all = PageRequest { limit: 10, offset: 0 };
        let page = bench.store.list_conversations(user, &Filter::default(), all).await;
        let ids: Vec<_> = page.unwrap().items.into_iter().map(|found| found.id).collect();
        ids
    };
    assert_eq!(bench.store.expire_conversations(at(0), 10).await.unwrap(), 0);
    assert_eq!(bench.store.expire_conversations(at(50), 1).await.unwrap(), 1);
    assert_eq!(left().await.len(), 3);
    assert_eq!(bench.store.expire_conversations(at(50), 10).await.unwrap(), 1);
    assert_eq!(left().await, [used, answered]);
    assert_eq!(bench.store.expire_conversations(at(101), 10).await.unwrap(), 1);
    assert_eq!(left().await, [answered]);
    assert_eq!(bench.query("SELECT 1 FROM messages").await.len(), 2);
}
