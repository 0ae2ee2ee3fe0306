//! Answers being written by this process, and their readers. An answer never waits for a reader: it grows in one place, and
//! each reader takes from there what it has not seen yet, as fast as it can. So readers join and leave as they like, and a
//! slow one costs nothing but its own delay. After its first words a reader is given new ones some thirty times a second
//! and no oftener: a screen shows no more, and each time costs a wake, a frame and a packet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    conversations::event::Event,
    id::{MessageId, UserId},
};

/// Bytes of one chunk at most: what a reader who hardly reads holds in memory.
const CHUNK: usize = 256 * 1024;
/// How long words gather after a reader was given some.
const GATHER: Duration = Duration::from_millis(33);

/// The answers being written by this process.
#[derive(Default)]
pub struct LiveReplies(Arc<Mutex<HashMap<MessageId, Arc<Live>>>>);

/// One answer being written.
struct Live {
    /// Who asked.
    owner: UserId,
    grown: Mutex<Grown>,
    /// Changes whenever something was added, and closes when the writer is gone.
    added: watch::Receiver<()>,
    /// The same of everything but words.
    marked: watch::Receiver<()>,
    stop: CancellationToken,
}

/// What there is of an answer so far.
#[derive(Default)]
struct Grown {
    /// Everything but words, each with the length of the text before it.
    marks: Vec<(usize, Event)>,
    text: String,
}

impl Live {
    /// Whether its readers were told the end.
    fn has_ended(&self) -> bool {
        let grown = lock(&self.grown);
        grown.marks.last().is_some_and(|(_, event)| event.is_last())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why no further answer can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// As many answers are being written to this person as may be.
    Person,
    /// As many answers are being written by this process as may be.
    Process,
    /// This very answer is being written.
    Same,
}

impl LiveReplies {
    /// Begins an answer, unless as many are being written to this person, or in all, as may be; whoever holds the writer
    /// writes it. Of any number of parallel calls no more than the limits begin.
    ///
    /// # Errors
    /// [`Crowded`] if there is no room.
    pub fn begin(
        &self,
        owner: UserId,
        message: MessageId,
        per_person: usize,
        in_all: usize,
    ) -> Result<Writer, Crowded> {
        let (add, added) = watch::channel(());
        let (mark, marked) = watch::channel(());
        let live = Arc::new(Live {
            owner,
            grown: Mutex::default(),
            added,
            marked,
            stop: CancellationToken::new(),
        });
        let mut all = lock(&self.0);
        // One that has ended and is still on the list gives way: its writer is about to leave.
        if all.get(&message).is_some_and(|same| !same.has_ended()) {
            return Err(Crowded::Same);
        }
        if all.len() >= in_all {
            return Err(Crowded::Process);
        }
        if all.values().filter(|live| live.owner == owner).count() >= per_person {
            return Err(Crowded::Person);
        }
        all.insert(message, Arc::clone(&live));
        Ok(Writer {
            message,
            live,
            add,
            mark,
            all: Arc::clone(&self.0),
        })
    }

    /// A reader of an answer, from its beginning; `None` if this process is not writing it.
    #[must_use]
    pub fn join(&self, message: MessageId) -> Option<Reader> {
        let live = Arc::clone(lock(&self.0).get(&message)?);
        Some(Reader::new(live))
    }

    /// Asks the writer of an answer to end it; `false` if this process is not writing it.
    pub fn stop(&self, message: MessageId) -> bool {
        let live = lock(&self.0).get(&message).cloned();
        live.is_some_and(|live| {
            live.stop.cancel();
            true
        })
    }

    /// How many answers are being written.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

/// The right to write one answer. Dropping it takes the answer off the list; readers still get what was written.
pub struct Writer {
    message: MessageId,
    live: Arc<Live>,
    add: watch::Sender<()>,
    mark: watch::Sender<()>,
    all: Arc<Mutex<HashMap<MessageId, Arc<Live>>>>,
}

impl Writer {
    /// Adds an event for every reader.
    pub fn tell(&self, event: Event) {
        let is_mark = {
            let mut grown = lock(&self.live.grown);
            match event {
                Event::Chunk(words) => {
                    grown.text.push_str(&words);
                    false
                }
                mark => {
                    let at = grown.text.len();
                    grown.marks.push((at, mark));
                    true
                }
            }
        };
        self.add.send_replace(());
        if is_mark {
            self.mark.send_replace(());
        }
    }

    /// Which answer it is.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.message
    }

    /// A reader of this answer.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.live))
    }

    /// Resolves when somebody asked for the answer to end.
    pub async fn stopped(&self) {
        self.live.stop.cancelled().await;
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        lock(&self.live.grown).text.clone()
    }

    /// How many bytes the text has so far.
    #[must_use]
    pub fn text_len(&self) -> usize {
        lock(&self.live.grown).text.len()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        // The same answer may be going on under another writer.
        if all.get(&self.message).is_some_and(|live| Arc::ptr_eq(live, &self.live)) {
            all.remove(&self.message);
        }
    }
}

/// A reader of one answer, from its beginning.
pub struct Reader {
    live: Arc<Live>,
    added: watch::Receiver<()>,
    marked: watch::Receiver<()>,
    marks_seen: usize,
    text_seen: usize,
    /// Until when words gather.
    gather: Option<Instant>,
    ended: bool,
}

impl Reader {
    fn new(live: Arc<Live>) -> Self {
        let (mut added, mut marked) = (live.added.clone(), live.marked.clone());
        added.mark_unchanged();
        marked.mark_unchanged();
        Self {
            live,
            added,
            marked,
            marks_seen: 0,
            text_seen: 0,
            gather: None,
            ended: false,
        }
    }

    /// The next event; words that gathered meanwhile come as one chunk. `None` after the last event, or if the writer is
    /// gone without one.
    pub async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            // Whatever is no word, the end above all, is told at once, and so are the words before it.
            if let Some(until) = self.gather
                && !self.has_mark()
            {
                drop(timeout_at(until, self.marked.changed()).await);
                self.gather = None;
            }
            if let Some(event) = self.take() {
                self.ended = event.is_last();
                // A whole chunk is followed by more that is there already.
                if matches!(&event, Event::Chunk(words) if words.len() < CHUNK / 2) {
                    self.gather = Some(Instant::now() + GATHER);
                }
                return Some(event);
            }
            // Something may have been added between looking and waiting; the receiver has seen neither then.
            if self.added.changed().await.is_err() {
                self.ended = self.is_read();
            }
        }
        None
    }

    fn has_mark(&self) -> bool {
        lock(&self.live.grown).marks.len() > self.marks_seen
    }

    fn is_read(&self) -> bool {
        let grown = lock(&self.live.grown);
        self.marks_seen == grown.marks.len() && self.text_seen == grown.text.len()
    }

    fn take(&mut self) -> Option<Event> {
        let grown = lock(&self.live.grown);
        let mark = grown.marks.get(self.marks_seen);
        let mut text_until = mark.map_or(grown.text.len(), |(at, _)| *at);
        if text_until > self.text_seen {
            text_until = text_until.min(self.text_seen + CHUNK);
            while !grown.text.is_char_boundary(text_until) {
                text_until -= 1;
            }
            let words = grown
                .text
                .get(self.text_seen..text_until)
                .unwrap_or_default()
                .to_owned();
            self.text_seen = text_until;
            return Some(Event::Chunk(words));
        }
        let event = mark.map(|(_, event)| event.clone());
        self.marks_seen += usize::from(event.is_some());
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversations::message::TokensUsed;

    fn done(message: MessageId) -> Event {
        Event::Done {
            message,
            finish_reason: "stop".into(),
            tokens: TokensUsed::default(),
        }
    }

    async fn read(mut reader: Reader) -> (String, usize) {
        let (mut text, mut marks) = (String::new(), 0);
        while let Some(event) = reader.next().await {
            match event {
                Event::Chunk(words) => text.push_str(&words),
                _ => marks += 1,
            }
        }
        (text, marks)
    }

    #[tokio::test]
    async fn every_reader_gets_the_whole_answer_whenever_it_joins() {
        let replies = LiveReplies::default();
        let message = MessageId::new();
        let writer = replies.begin(UserId::new(), message, 5, 5).unwrap();
        let early = tokio::spawn(read(writer.reader()));
        writer.tell(Event::Usage(TokensUsed::default()));
        writer.tell(Event::Chunk("שלום ".into()));
        let late = tokio::spawn(read(replies.join(message).unwrap()));
        writer.tell(Event::Chunk("world".into()));
        writer.tell(done(message));
        let after = writer.reader();
        drop(writer);
        assert!(replies.join(message).is_none());
        for reader in [early.await.unwrap(), late.await.unwrap(), read(after).await] {
            assert_eq!(reader, ("שלום world".into(), 2));
        }
    }

    #[tokio::test]
    async fn who_is_far_behind_gets_large_chunks_but_not_all_at_once() {
        let replies = LiveReplies::default();
        let writer = replies.begin(UserId::new(), MessageId::new(), 5, 5).unwrap();
        let said = "שלום, ".repeat(60_000);
        writer.tell(Event::Chunk(said.clone()));
        let mut reader = writer.reader();
        drop(writer);
        let mut chunks = Vec::new();
        while let Some(Event::Chunk(words)) = reader.next().await {
            assert!(words.len() <= CHUNK);
            chunks.push(words);
        }
        assert_eq!((chunks.len(), chunks.concat()), (said.len().div_ceil(CHUNK), said));
    }

    #[tokio::test(start_paused = true)]
    async fn words_gather_after_the_first_but_the_end_does_not_wait() {
        let replies = LiveReplies::default();
        let message = MessageId::new();
        let writer = replies.begin(UserId::new(), message, 5, 5).unwrap();
        let mut reader = writer.reader();
        let began = Instant::now();
        for (word, after) in [("one ", Duration::ZERO), ("two ", GATHER), ("three ", GATHER * 2)] {
            writer.tell(Event::Chunk(word.into()));
            assert_eq!(reader.next().await, Some(Event::Chunk(word.into())));
            assert_eq!(began.elapsed().as_millis(), after.as_millis());
        }
        writer.tell(Event::Chunk("four ".into()));
        writer.tell(Event::Chunk("five".into()));
        writer.tell(done(message));
        assert_eq!(reader.next().await, Some(Event::Chunk("four five".into())));
        assert_eq!(reader.next().await, Some(done(message)));
        assert_eq!(began.elapsed().as_millis(), (GATHER * 2).as_millis());
    }

    #[tokio::test]
    async fn a_writer_that_dies_ends_its_readers() {
        let replies = LiveReplies::default();
        let writer = replies.begin(UserId::new(), MessageId::new(), 5, 5).unwrap();
        writer.tell(Event::Chunk("half".into()));
        let reader = tokio::spawn(read(writer.reader()));
        drop(writer);
        assert_eq!(reader.await.unwrap(), ("half".into(), 0));
    }

    #[test]
    fn there_is_room_for_so_many_and_it_is_given_back() {
        let replies = LiveReplies::default();
        let person = UserId::new();
        let begin = |owner| replies.begin(owner, MessageId::new(), 2, 3);
        let first = begin(person).unwrap();
        let _second = begin(person).unwrap();
        assert_eq!(begin(person).err(), Some(Crowded::Person));
        let _other = begin(UserId::new()).unwrap();
        assert_eq!(begin(UserId::new()).err(), Some(Crowded::Process));
        drop(first);
        assert!(begin(person).is_ok());
    }

    #[tokio::test]
    async fn stopping_reaches_the_writer() {
        let replies = LiveReplies::default();
        let message = MessageId::new();
        let writer = replies.begin(UserId::new(), message, 5, 5).unwrap();
        assert!(replies.stop(message));
        writer.stopped().await;
        assert!(!replies.stop(MessageId::new()));
    }
}
