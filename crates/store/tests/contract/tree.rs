//! The tree of a conversation: versions stand beside each other, an answer goes on in place and is charged for what is new, the
//! head moves, a path is copied, words are corrected.

use across::{
    assistants::AssistantStore as _,
    audit::Action,
    conversations::{
        conversation::{Begun, ConversationStore as _, Dead, Ending, MessageFilter, NewTurn, TurnPlace, Unfit},
        message::{Message, State, TokensUsed},
        tree::{Corrected, Fork, Forked, MessageTree as _},
    },
    governance::{
        meter::{Particulars, Spent},
        quota::{Limits, QuotaStore as _, Scope},
        usage::{Filter, UsageLog as _},
    },
    id::{AssistantId, ConversationId, MessageId, QuotaId, UserId},
    money::{MicroUsd, Price},
    page::PageRequest,
    platform::Inspection as _,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, progress, question, turn};

crate::contracts!(
    a_question_in_other_words_stands_beside_the_old_one,
    another_answer_stands_beside_the_first,
    an_answer_that_was_stopped_goes_on_in_place,
    an_answer_that_goes_on_and_dies_is_charged_for_what_is_new,
    only_one_of_many_lets_an_answer_go_on,
    the_head_moves_to_the_newest_leaf,
    a_fork_is_a_conversation_of_its_own,
    a_fork_may_end_with_a_question_that_has_no_answer_yet,
    words_are_corrected_in_place,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };
/// A dollar for a million tokens of the prompt, two for the answer.
const PRICE: Price = Price {
    prompt: MicroUsd(1_000_000),
    completion: MicroUsd(2_000_000),
};

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
    let limits = Limits {
        daily_cost: Some(MicroUsd(1_000_000)),
        alert_threshold: 80,
        ..Limits::default()
    };
    let made = bench
        .store
        .create_quota(QuotaId::new(), Scope::Global, limits, deed(Action::QuotaCreate, 0))
        .await;
    made.unwrap();
    Scene {
        anna,
        otto,
        assistant,
        conversation,
    }
}

impl Scene {
    fn turn(&self, place: TurnPlace, seconds: i64) -> NewTurn {
        let mut turn = turn(self.anna, self.conversation, "", seconds);
        turn.place = place;
        turn.call = turn.call.worth(100, 200, PRICE);
        turn
    }

    /// The same answer, once more.
    fn again(&self, answer: MessageId, seconds: i64) -> NewTurn {
        let mut turn = self.turn(TurnPlace::Again, seconds);
        turn.answer = answer;
        turn.call.message = Some(answer);
        turn
    }
}

async fn begin(bench: &Bench, turn: NewTurn) -> (Message, Message) {
    match bench.store.begin_turn(turn).await.unwrap() {
        Begun::Yes(both) => *both,
        other => panic!("{other:?}"),
    }
}

/// Ends what `turn` began, at 100 and 50 tokens and 200 micro-dollars more than `before`.
async fn end(
    bench: &Bench,
    turn: &NewTurn,
    content: &str,
    state: State,
    reason: Option<&str>,
    before: Option<TokensUsed>,
) {
    let spent = Spent {
        hold: turn.call.id,
        payer: turn.call.payer,
        provider: "openai".into(),
        key: None,
        model: "gpt".into(),
        prompt_tokens: 100,
        completion_tokens: 50,
        cost: PRICE.cost(100, 50),
        estimated: false,
        refused_keys: Vec::new(),
        more: Particulars::default(),
    };
    let used = TokensUsed {
        prompt: 100,
        completion: 50,
        estimated: false,
        cost: Some(spent.cost),
    };
    let ending = Ending {
        content: content.into(),
        state,
        error: None,
        finish_reason: reason.map(str::to_owned),
        provider: Some("openai".into()),
        failover: None,
        tokens: Some(before.map_or(used, |before| before.and(used))),
        spent: Some(spent),
        at: at(9),
    };
    bench.store.finish(turn.answer, ending).await.unwrap();
}

/// A turn from beginning to end; question and answer.
async fn whole(bench: &Bench, turn: NewTurn, content: &str) -> (MessageId, MessageId) {
    let (question, answer) = begin(bench, turn.clone()).await;
    end(bench, &turn, content, State::Complete, Some("stop"), None).await;
    (question.id, answer.id)
}

async fn message(bench: &Bench, scene: &Scene, id: MessageId) -> Message {
    let found = bench.store.find_message(scene.anna, scene.conversation, id).await;
    found.unwrap().unwrap()
}

async fn active(bench: &Bench, owner: UserId, conversation: ConversationId) -> Vec<String> {
    let filter = MessageFilter::default();
    let page = bench.store.list_messages(owner, conversation, filter, ALL).await;
    let items = page.unwrap().unwrap().items;
    items.into_iter().map(|message| message.content).collect()
}

/// What the doctor says of the messages and the counters.
async fn faults(bench: &Bench) -> Vec<String> {
    let mut faults = bench.store.threads().await.unwrap().faults;
    faults.extend(bench.store.counters(at(100)).await.unwrap().faults);
    faults
}

fn place(message: &Message) -> (u32, u32) {
    (message.sibling_index, message.sibling_count)
}

async fn a_question_in_other_words_stands_beside_the_old_one(bench: &Bench) {
    let scene = scene(bench).await;
    let (anna, id) = (scene.anna, scene.conversation);
    let first = scene.turn(TurnPlace::End(question("one")), 1);
    let (one, answer) = whole(bench, first, "re: one").await;
    let second = scene.turn(TurnPlace::End(question("two")), 2);
    let (two, _) = whole(bench, second, "re: two").await;

    let edited = scene.turn(TurnPlace::Beside(two, question("zwei")), 3);
    let (zwei, its_answer) = begin(bench, edited.clone()).await;
    assert_eq!((zwei.parent, place(&zwei), zwei.seq), (Some(answer), (1, 2), 5));
    assert_eq!(
        (its_answer.parent, place(&its_answer), its_answer.seq),
        (Some(zwei.id), (0, 1), 6)
    );
    end(bench, &edited, "re: zwei", State::Complete, Some("stop"), None).await;
    assert_eq!(active(bench, anna, id).await, ["one", "re: one", "zwei", "re: zwei"]);

    // Also the very first question.
    let edited = scene.turn(TurnPlace::Beside(one, question("eins")), 4);
    let (eins, _) = begin(bench, edited.clone()).await;
    assert_eq!((eins.parent, place(&eins)), (None, (1, 2)));
    end(bench, &edited, "re: eins", State::Complete, Some("stop"), None).await;
    assert_eq!(active(bench, anna, id).await, ["eins", "re: eins"]);

    let refused = |turn| async move { bench.store.begin_turn(turn).await.unwrap() };
    assert_eq!(
        refused(scene.turn(TurnPlace::Beside(answer, question("x")), 5)).await,
        Begun::Unfit(Unfit::NotAQuestion)
    );
    assert_eq!(
        refused(scene.turn(TurnPlace::Beside(MessageId::new(), question("x")), 5)).await,
        Begun::Missing
    );
    let mut elsewhere = scene.turn(TurnPlace::Beside(one, question("x")), 5);
    elsewhere.conversation = bench.conversation(anna, scene.assistant).await;
    assert_eq!(refused(elsewhere).await, Begun::Missing);
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn another_answer_stands_beside_the_first(bench: &Bench) {
    let scene = scene(bench).await;
    let (one, first) = whole(bench, scene.turn(TurnPlace::End(question("one")), 1), "first").await;
    let below = |is_first| TurnPlace::Below {
        question: one,
        is_first,
    };
    let again = scene.turn(below(false), 2);
    let (asked, second) = begin(bench, again.clone()).await;
    assert_eq!((asked.id, asked.content.as_str()), (one, "one"));
    assert_eq!((second.parent, place(&second), second.seq), (Some(one), (1, 2), 3));
    assert_eq!(
        bench.store.begin_turn(scene.turn(below(false), 3)).await.unwrap(),
        Begun::Busy(second.id)
    );
    end(bench, &again, "second", State::Complete, Some("stop"), None).await;
    assert_eq!(active(bench, scene.anna, scene.conversation).await, ["one", "second"]);
    assert_eq!(place(&message(bench, &scene, first).await), (0, 2));
    let refused = |turn| async move { bench.store.begin_turn(turn).await.unwrap() };
    assert_eq!(refused(scene.turn(below(true), 4)).await, Begun::Unfit(Unfit::Answered));
    let of_an_answer = TurnPlace::Below {
        question: first,
        is_first: false,
    };
    assert_eq!(
        refused(scene.turn(of_an_answer, 4)).await,
        Begun::Unfit(Unfit::NotAQuestion)
    );
    let found = bench.store.find_conversation(scene.anna, scene.conversation).await;
    assert_eq!(found.unwrap().unwrap().message_count, 3);
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn an_answer_that_was_stopped_goes_on_in_place(bench: &Bench) {
    let scene = scene(bench).await;
    let first = scene.turn(TurnPlace::End(question("one")), 1);
    let (one, answer) = begin(bench, first.clone()).await;
    let stop = bench.store.request_stop(scene.anna, scene.conversation, None);
    assert_eq!(stop.await.unwrap(), Some(vec![answer.id]));
    end(bench, &first, "Half", State::Stopped, Some("stopped"), None).await;
    // Something follows it meanwhile, and stays active.
    whole(bench, scene.turn(TurnPlace::End(question("two")), 2), "re: two").await;

    let again = scene.again(answer.id, 3);
    let (asked, going) = begin(bench, again.clone()).await;
    assert_eq!((asked.id, going.id, going.seq), (one.id, answer.id, 2));
    assert_eq!(
        (going.state, going.content.as_str(), &going.finish_reason),
        (State::Streaming, "Half", &None)
    );
    assert!(
        !bench.store.stop_requested(answer.id).await.unwrap(),
        "the old wish is over"
    );
    end(
        bench,
        &again,
        "Half and half",
        State::Complete,
        Some("length"),
        going.tokens,
    )
    .await;
    let cut = message(bench, &scene, answer.id).await;
    let tokens = cut.tokens.unwrap();
    assert_eq!(
        (tokens.prompt, tokens.completion, tokens.cost),
        (200, 100, Some(MicroUsd(400)))
    );
    let path = ["one", "Half and half", "two", "re: two"];
    assert_eq!(active(bench, scene.anna, scene.conversation).await, path);

    // Cut at the length limit it goes on as well; at its end it does not.
    let again = scene.again(answer.id, 4);
    let (_, going) = begin(bench, again.clone()).await;
    end(
        bench,
        &again,
        "Half and half.",
        State::Complete,
        Some("stop"),
        going.tokens,
    )
    .await;
    let whole = bench.store.begin_turn(scene.again(answer.id, 5)).await.unwrap();
    assert_eq!(whole, Begun::Unfit(Unfit::Whole));
    let of_a_question = bench.store.begin_turn(scene.again(one.id, 5)).await.unwrap();
    assert_eq!(of_a_question, Begun::Unfit(Unfit::Whole));
    let rows = bench.store.list_usage(&Filter::default(), ALL).await.unwrap().items;
    let of_this = rows.iter().filter(|row| row.message == Some(answer.id));
    assert_eq!(of_this.map(|row| row.cost).collect::<Vec<_>>(), [MicroUsd(200); 3]);
    let cost = |owner| bench.store.conversation_cost(owner, scene.conversation);
    assert_eq!(cost(scene.anna).await.unwrap(), MicroUsd(800));
    assert_eq!(cost(scene.otto).await.unwrap(), MicroUsd(0));
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn an_answer_that_goes_on_and_dies_is_charged_for_what_is_new(bench: &Bench) {
    let scene = scene(bench).await;
    let first = scene.turn(TurnPlace::End(question("one")), 1);
    let (_, answer) = begin(bench, first.clone()).await;
    end(
        bench,
        &first,
        "Half of an answer",
        State::Stopped,
        Some("stopped"),
        None,
    )
    .await;
    begin(bench, scene.again(answer.id, 2)).await;
    let far = progress("Half of an answer and some words of an answer", 60);
    bench.store.checkpoint(answer.id, far).await.unwrap();
    assert_eq!(bench.store.interrupt_abandoned(at(61), Dead::Expired).await.unwrap(), 1);
    let dead = message(bench, &scene, answer.id).await;
    assert_eq!(dead.state, State::Interrupted);
    let tokens = dead.tokens.unwrap();
    assert_eq!(
        (tokens.prompt, tokens.completion, tokens.estimated, tokens.cost),
        (200, 56, true, Some(MicroUsd(200 + 112)))
    );
    let rows = bench.store.list_usage(&Filter::default(), ALL).await.unwrap().items;
    assert_eq!(
        rows.iter().map(|row| row.completion_tokens).collect::<Vec<_>>(),
        [6, 50],
        "the newest row is of the new words only"
    );
    assert_eq!(faults(bench).await, Vec::<String>::new());
    // And from there it goes on once more.
    let (_, going) = begin(bench, scene.again(answer.id, 70)).await;
    assert_eq!(going.content, "Half of an answer and some words of an answer");
}

async fn only_one_of_many_lets_an_answer_go_on(bench: &Bench) {
    let scene = scene(bench).await;
    let first = scene.turn(TurnPlace::End(question("one")), 1);
    let (_, answer) = begin(bench, first.clone()).await;
    end(bench, &first, "Half", State::Stopped, Some("stopped"), None).await;
    let another = bench.another().await;
    let tries = (0..10).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.begin_turn(scene.again(answer.id, 2))
    });
    let mut begun = 0;
    for tried in join_all(tries).await {
        match tried.unwrap() {
            Begun::Yes(_) => begun += 1,
            other => assert_eq!(other, Begun::Busy(answer.id)),
        }
    }
    assert_eq!(begun, 1);
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn the_head_moves_to_the_newest_leaf(bench: &Bench) {
    let scene = scene(bench).await;
    let (anna, id) = (scene.anna, scene.conversation);
    let (one, first) = whole(bench, scene.turn(TurnPlace::End(question("one")), 1), "first").await;
    let (_, end_of_first) = whole(bench, scene.turn(TurnPlace::End(question("two")), 2), "re: two").await;
    let again = TurnPlace::Below {
        question: one,
        is_first: false,
    };
    let (_, second) = whole(bench, scene.turn(again, 3), "second").await;
    let go = |owner, id, message| bench.store.move_head(owner, id, message, at(50));
    let head = |moved: Option<across::conversations::conversation::Conversation>| moved.unwrap().head;
    assert_eq!(head(go(anna, id, first).await.unwrap()), Some(end_of_first));
    assert_eq!(active(bench, anna, id).await, ["one", "first", "two", "re: two"]);
    assert_eq!(head(go(anna, id, second).await.unwrap()), Some(second));
    assert_eq!(active(bench, anna, id).await, ["one", "second"]);
    let moved = go(anna, id, one).await.unwrap().unwrap();
    assert_eq!(
        (moved.head, moved.updated_at),
        (Some(second), at(50)),
        "the newest of all"
    );
    let other = bench.conversation(anna, scene.assistant).await;
    for (owner, id, message) in [
        (scene.otto, id, first),
        (anna, other, first),
        (anna, id, MessageId::new()),
    ] {
        assert_eq!(go(owner, id, message).await.unwrap(), None);
    }
    assert_eq!(active(bench, anna, scene.conversation).await, ["one", "second"]);
}

async fn a_fork_is_a_conversation_of_its_own(bench: &Bench) {
    let scene = scene(bench).await;
    let (anna, id) = (scene.anna, scene.conversation);
    let (one, first) = whole(bench, scene.turn(TurnPlace::End(question("one")), 1), "first").await;
    let again = TurnPlace::Below {
        question: one,
        is_first: false,
    };
    whole(bench, scene.turn(again, 2), "second").await;
    let (_, last) = whole(bench, scene.turn(TurnPlace::End(question("two")), 3), "re: two").await;
    let fork = |owner, from, upto| {
        bench.store.fork_conversation(Fork {
            owner,
            from,
            upto,
            id: ConversationId::new(),
            at: at(20),
        })
    };
    let Forked::Yes(copy) = fork(anna, id, last).await.unwrap() else {
        panic!("no copy")
    };
    assert_eq!(
        (copy.title.as_str(), copy.assistant, copy.message_count),
        ("A title", scene.assistant, 4)
    );
    assert_eq!((copy.created_at, copy.generating), (at(20), None));
    let page = bench
        .store
        .list_messages(
            anna,
            copy.id,
            MessageFilter {
                all_branches: true,
                ..MessageFilter::default()
            },
            ALL,
        )
        .await;
    let copies = page.unwrap().unwrap().items;
    let contents: Vec<_> = copies.iter().map(|copied| copied.content.as_str()).collect();
    assert_eq!(contents, ["one", "second", "two", "re: two"], "the path only");
    assert_eq!(copies.iter().map(|copied| copied.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(copy.head, copies.last().map(|copied| copied.id));
    assert_eq!(copies[3].tokens, message(bench, &scene, last).await.tokens);
    assert_eq!(bench.store.conversation_cost(anna, copy.id).await.unwrap(), MicroUsd(0));
    assert!(
        copies
            .iter()
            .all(|copied| copied.id != one && copied.id != last && place(copied) == (0, 1))
    );

    // Each goes on without the other.
    let mut next = scene.turn(TurnPlace::End(question("three")), 30);
    next.conversation = copy.id;
    next.call.conversation = Some(copy.id);
    whole(bench, next, "re: three").await;
    assert_eq!(
        bench.store.conversation_cost(anna, copy.id).await.unwrap(),
        MicroUsd(200)
    );
    assert_eq!(active(bench, anna, id).await, ["one", "second", "two", "re: two"]);
    assert_eq!(faults(bench).await, Vec::<String>::new());

    for (owner, from, upto) in [
        (scene.otto, id, last),
        (anna, copy.id, last),
        (anna, id, MessageId::new()),
    ] {
        assert_eq!(fork(owner, from, upto).await.unwrap(), Forked::Missing);
    }
    let (_, streaming) = begin(bench, scene.turn(TurnPlace::End(question("x")), 40)).await;
    assert_eq!(fork(anna, id, streaming.id).await.unwrap(), Forked::Busy(streaming.id));
    assert!(matches!(fork(anna, id, first).await.unwrap(), Forked::Yes(_)));
    let archived = bench
        .store
        .archive_assistant(scene.assistant, None, deed(Action::AssistantDelete, 50));
    archived.await.unwrap();
    assert_eq!(fork(anna, id, first).await.unwrap(), Forked::AssistantDeleted);
}

async fn a_fork_may_end_with_a_question_that_has_no_answer_yet(bench: &Bench) {
    let scene = scene(bench).await;
    let (one, _) = whole(bench, scene.turn(TurnPlace::End(question("one")), 1), "first").await;
    let fork = Fork {
        owner: scene.anna,
        from: scene.conversation,
        upto: one,
        id: ConversationId::new(),
        at: at(20),
    };
    let Forked::Yes(copy) = bench.store.fork_conversation(fork).await.unwrap() else {
        panic!("no copy")
    };
    let asked = copy.head.unwrap();
    let below = TurnPlace::Below {
        question: asked,
        is_first: true,
    };
    let mut answered = scene.turn(below, 21);
    answered.conversation = copy.id;
    whole(bench, answered, "an answer").await;
    assert_eq!(active(bench, scene.anna, copy.id).await, ["one", "an answer"]);
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn words_are_corrected_in_place(bench: &Bench) {
    let scene = scene(bench).await;
    let (anna, id) = (scene.anna, scene.conversation);
    let (one, first) = whole(bench, scene.turn(TurnPlace::End(question("one")), 1), "first").await;
    let correct =
        |owner, id, message, content: &str| bench.store.correct_message(owner, id, message, content.into(), at(50));
    for message in [one, first] {
        let Corrected::Yes(now) = correct(anna, id, message, "better\0").await.unwrap() else {
            panic!("not corrected")
        };
        assert_eq!((now.content.as_str(), now.edited_at), ("better\u{fffd}", Some(at(50))));
        assert_eq!(self::message(bench, &scene, message).await, *now);
    }
    let other = bench.conversation(anna, scene.assistant).await;
    for (owner, id, message) in [(scene.otto, id, one), (anna, other, one), (anna, id, MessageId::new())] {
        assert_eq!(correct(owner, id, message, "x").await.unwrap(), Corrected::Missing);
    }
    let (two, streaming) = begin(bench, scene.turn(TurnPlace::End(question("two")), 3)).await;
    assert_eq!(correct(anna, id, streaming.id, "x").await.unwrap(), Corrected::Busy);
    assert!(matches!(
        correct(anna, id, two.id, "x").await.unwrap(),
        Corrected::Yes(_)
    ));
    let archived = bench
        .store
        .archive_assistant(scene.assistant, None, deed(Action::AssistantDelete, 60));
    archived.await.unwrap();
    assert_eq!(correct(anna, id, one, "x").await.unwrap(), Corrected::AssistantDeleted);
}
