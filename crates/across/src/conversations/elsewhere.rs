//! Reading an answer that another process writes: what that process saves is looked for again and again, and told as if it
//! were written here.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    conversations::{
        conversation::ConversationStore,
        event::{Event, Failure, FailureKind},
        message::Message,
        reply,
    },
    fault::StoreError,
    id::UserId,
};

/// How often something new is looked for. Writers save every two seconds or two kilobytes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the database may be away before readers are told so.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reader of an answer that this process does not write.
pub struct Follower {
    store: Arc<dyn ConversationStore>,
    stopping: CancellationToken,
    owner: UserId,
    seen: Seen,
    /// Since when the database has not answered.
    away_since: Option<Instant>,
    /// Events that are found and not told yet, the last one first.
    ready: Vec<Event>,
}

/// What of an answer its reader knows.
struct Seen {
    answer: Message,
    has_ended: bool,
}

impl Follower {
    /// A reader from what `answer` has on; everything that it holds is told already. Reading ends when `stopping` says that
    /// this process does.
    #[must_use]
    pub const fn new(
        store: Arc<dyn ConversationStore>,
        stopping: CancellationToken,
        owner: UserId,
        answer: Message,
    ) -> Self {
        Self {
            store,
            stopping,
            owner,
            seen: Seen {
                answer,
                has_ended: false,
            },
            away_since: None,
            ready: Vec::new(),
        }
    }

    /// The next event; `None` after the last one. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some(event);
            }
            if self.seen.has_ended {
                return None;
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = self.stopping.cancelled() => {
                    let leaving = "AI-Across is restarting here. The answer goes on; open it again to read on.";
                    self.ready = vec![self.seen.broken(FailureKind::Unavailable, leaving)];
                    continue;
                }
            }
            let (conversation, id) = (self.seen.answer.conversation, self.seen.answer.id);
            let found = self.store.find_message(self.owner, conversation, id).await;
            self.take(found);
        }
    }

    fn take(&mut self, found: Result<Option<Message>, StoreError>) {
        let mut news = match found {
            Ok(Some(message)) => {
                self.away_since = None;
                self.seen.news(message)
            }
            Ok(None) => vec![self.seen.broken(FailureKind::Interrupted, "This answer was deleted.")],
            Err(error) => {
                let since = *self.away_since.get_or_insert_with(Instant::now);
                tracing::warn!(%error, message = %self.seen.answer.id, "could not look how far an answer is");
                if since.elapsed() < PATIENCE {
                    return;
                }
                let away = "The database is away. The answer may go on; open it again in a moment.";
                vec![self.seen.broken(FailureKind::Unavailable, away)]
            }
        };
        news.reverse();
        self.ready = news;
    }
}

impl Seen {
    /// What is new in an answer.
    fn news(&mut self, found: Message) -> Vec<Event> {
        let known = &self.answer;
        let mut news = Vec::new();
        // Who answers is told before the first word or not at all, as everywhere.
        if known.content.is_empty() && known.failover.is_none() {
            news.extend(found.failover.clone().map(Event::Failover));
        }
        let more = found.content.get(known.content.len()..).unwrap_or_default();
        if !more.is_empty() {
            news.push(Event::Chunk(more.to_owned()));
        }
        let ending = ending(&found);
        self.has_ended = !ending.is_empty();
        news.extend(ending);
        self.answer = found;
        news
    }

    /// The end of the reading, not of the answer.
    fn broken(&mut self, kind: FailureKind, sentence: &str) -> Event {
        self.has_ended = true;
        Event::Failed(Failure {
            kind,
            sentence: sentence.to_owned(),
            retryable: true,
            message: self.answer.id,
            has_text: !self.answer.content.is_empty(),
        })
    }
}

/// The events after the last word of a recorded answer; none while it is being written.
#[must_use]
pub fn ending(answer: &Message) -> Vec<Event> {
    let Some(last) = reply::closing(answer) else {
        return Vec::new();
    };
    let usage = answer.tokens.map(Event::Usage);
    usage.into_iter().chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Time,
        conversations::message::{State, TokensUsed},
        id::{ConversationId, MessageId},
        providers::{chat::Speaker, routing::Failover},
    };

    fn answer() -> Message {
        Message {
            id: MessageId::new(),
            conversation: ConversationId::new(),
            parent: Some(MessageId::new()),
            sibling_index: 0,
            sibling_count: 1,
            seq: 2,
            speaker: Speaker::Assistant,
            content: String::new(),
            model: Some("m".into()),
            provider: Some("openai".into()),
            state: State::Streaming,
            error: None,
            finish_reason: None,
            tokens: None,
            citations: Vec::new(),
            failover: None,
            retrieval: None,
            edited_at: None,
            created_at: Time::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn what_another_process_saves_is_told_once_and_in_order() {
        let first = answer();
        let mut seen = Seen {
            answer: first.clone(),
            has_ended: false,
        };
        assert_eq!(seen.news(first.clone()), []);
        let failover = Failover {
            from: "openai".into(),
            to: "openrouter".into(),
            reason: "overloaded".into(),
            extra_cost_percent: None,
        };
        let begun = Message {
            content: "שלום ".into(),
            failover: Some(failover.clone()),
            ..first
        };
        assert_eq!(
            seen.news(begun.clone()),
            [Event::Failover(failover), Event::Chunk("שלום ".into())]
        );
        assert_eq!(seen.news(begun.clone()), []);
        let tokens = TokensUsed {
            completion: 2,
            ..TokensUsed::default()
        };
        let ended = Message {
            content: "שלום world".into(),
            state: State::Complete,
            tokens: Some(tokens),
            ..begun
        };
        let news = seen.news(ended);
        assert_eq!(news[..2], [Event::Chunk("world".into()), Event::Usage(tokens)]);
        assert!(matches!(&news[2], Event::Done { .. }) && news.len() == 3, "{news:?}");
        assert!(seen.has_ended);
    }

    #[test]
    fn reading_that_ends_early_says_why_once() {
        let mut seen = Seen {
            answer: answer(),
            has_ended: false,
        };
        let Event::Failed(failure) = seen.broken(FailureKind::Unavailable, "Later.") else {
            panic!("no failure")
        };
        assert_eq!((failure.kind, failure.has_text), (FailureKind::Unavailable, false));
        assert!(seen.has_ended);
    }
}
