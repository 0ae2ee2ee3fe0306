//! Group commit: one thread owns the only writing connection, runs queued operations in one transaction, each after the first
//! inside its own savepoint, and answers their callers after the commit that holds them. Many small changes share one fsync.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{FutureExt as _, executor::block_on, future::BoxFuture};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, TransactionOptions, TransactionTrait as _};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{error::Fault, transaction::Tx};

/// Operations that may wait; beyond that, callers wait for a place.
const QUEUE: usize = 1_024;
/// How long a caller waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);
/// Operations of one group at most.
const GROUP: usize = 256;
/// No operation is added to a group that has run for this long, so that nobody waits for strangers' work.
const GROUP_TIME: Duration = Duration::from_millis(8);

/// One change: it runs once, inside a transaction that belongs to somebody else.
#[async_trait]
trait Operation: Send {
    /// Does the change and keeps its result; says why it shall not stay, if it shall not.
    async fn run(&mut self, tx: &Tx) -> Result<(), Undo>;

    /// Tells the caller: the result, or the fault that took the whole group.
    fn answer(self: Box<Self>, fault: Option<&Fault>);
}

/// Why what a change did shall not stay.
enum Undo {
    /// It failed.
    Failed(Fault),
    /// It took it back.
    TakenBack,
}

struct Change<T, F> {
    work: Option<F>,
    result: Option<Result<T, Fault>>,
    caller: oneshot::Sender<Result<T, Fault>>,
}

#[async_trait]
impl<T, F> Operation for Change<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c Tx) -> BoxFuture<'c, Result<T, Fault>> + Send,
{
    async fn run(&mut self, tx: &Tx) -> Result<(), Undo> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let outcome = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await;
        let result = outcome.unwrap_or_else(|_| Err(Fault::unavailable("a write operation panicked")));
        let told = match &result {
            Ok(_) if tx.is_taken_back() => Err(Undo::TakenBack),
            Ok(_) => Ok(()),
            Err(fault) => Err(Undo::Failed(fault.again())),
        };
        self.result = Some(result);
        told
    }

    fn answer(self: Box<Self>, fault: Option<&Fault>) {
        let result = match (self.result, fault) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(fault)) => Err(fault.again()),
            (Some(done), None) => done,
            (None, None) => Err(Fault::unavailable("a write operation was not run")),
        };
        // A caller that went away has nobody to tell; its change stays, as it would have a moment later.
        let _ = self.caller.send(result);
    }
}

/// The queue to the writing task.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Operation>>,
    failed: Arc<OnceLock<Fault>>,
}

impl Writer {
    /// Starts the thread. It ends when the last `Writer` is dropped and the queue is empty.
    ///
    /// A change is a chain of statements, each of which waits for the one before on the database's own thread: what counts is
    /// how soon the writer runs again. Among the tasks of a busy runtime it would wait its turn after every statement.
    pub(crate) async fn start(options: ConnectOptions, begin: TransactionOptions) -> Result<Self, DbErr> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let failed = Arc::new(OnceLock::new());
        let (ready, started) = oneshot::channel();
        let cannot = |error: std::io::Error| DbErr::Custom(format!("no thread can be started: {error}"));
        let runtime = Handle::current();
        let its_failed = Arc::clone(&failed);
        let work = async move {
            let connection = match Database::connect(options.clone()).await {
                Ok(connection) => connection,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok(()));
            let task = Task {
                options,
                begin,
                connection,
                queue,
                failed: its_failed,
            };
            task.run().await;
        };
        let thread = thread::Builder::new().name("database writer".to_owned());
        // Timers are the runtime's; between two statements there is nothing but the database's answer to wait for, and to be
        // woken for that costs a parked thread half of what it costs a runtime.
        let run = move || {
            let _timers = runtime.enter();
            block_on(work);
        };
        thread.spawn(run).map_err(cannot)?;
        let ended = |_| DbErr::Custom("the database writer ended at its start".to_owned());
        started.await.map_err(ended)??;
        Ok(Self { queue: sender, failed })
    }

    /// Why nothing can be written any more, if that is so.
    pub(crate) fn failure(&self) -> Option<Fault> {
        self.failed.get().map(Fault::again)
    }

    /// Runs `work` in a transaction; it is durable when this returns `Ok`.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Tx) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let change = Box::new(Change {
            work: Some(work),
            result: None,
            caller,
        });
        self.queue
            .send_timeout(change, PATIENCE)
            .await
            .map_err(|refused| match refused {
                mpsc::error::SendTimeoutError::Timeout(_) => Fault::from(across::fault::StoreError::Busy),
                mpsc::error::SendTimeoutError::Closed(_) => Fault::unavailable("the database writer has ended"),
            })?;
        answer
            .await
            .unwrap_or_else(|_| Err(Fault::unavailable("the database writer has ended")))
    }
}

struct Task {
    options: ConnectOptions,
    begin: TransactionOptions,
    connection: DatabaseConnection,
    queue: mpsc::Receiver<Box<dyn Operation>>,
    /// Set for good when a commit failed in a way that leaves unknown what is on disk: going on could only make it worse.
    failed: Arc<OnceLock<Fault>>,
}

impl Task {
    async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            if let Some(fault) = self.failed.get() {
                first.answer(Some(fault));
            } else {
                self.group(first).await;
            }
        }
    }

    /// Commits one group that begins with `first`.
    async fn group(&mut self, first: Box<dyn Operation>) {
        let tx = match self.connection.begin_with_options(self.begin).await {
            Ok(all) => Tx::new(all),
            Err(error) => {
                // Whoever waits by now would wait for the same lock once more.
                let fault = Fault::from(error);
                first.answer(Some(&fault));
                while let Ok(next) = self.queue.try_recv() {
                    next.answer(Some(&fault));
                }
                return;
            }
        };
        let started = Instant::now();
        let mut first = first;
        if let Err(undo) = first.run(&tx).await {
            match (tx.rollback().await, undo) {
                (Ok(()), _) => first.answer(None),
                (Err(_), Undo::Failed(fault)) => self.abandon(None, vec![first], fault).await,
                (Err(error), Undo::TakenBack) => self.abandon(None, vec![first], error.into()).await,
            }
            return;
        }
        let mut done = vec![first];
        let mut next = self.queue.try_recv().ok();
        while let Some(mut operation) = next {
            tx.begin_another();
            let whole = run_one(&tx, operation.as_mut()).await;
            done.push(operation);
            if let Err(fault) = whole {
                return self.abandon(Some(tx), done, fault).await;
            }
            let room = done.len() < GROUP && started.elapsed() < GROUP_TIME;
            next = if room { self.queue.try_recv().ok() } else { None };
        }
        match tx.commit().await {
            Ok(()) => done.into_iter().for_each(|operation| operation.answer(None)),
            Err(error) => {
                let fault = Fault::from(error.clone());
                if !fault.is_passing() {
                    tracing::error!(%error, "a commit failed; nothing more is written until the process is restarted");
                    let _ = self.failed.set(fault);
                }
                self.abandon(None, done, error.into()).await;
            }
        }
    }

    /// Gives a group up and tells everyone in it; the next one gets a fresh connection, since the state of this one is
    /// not known.
    async fn abandon(&mut self, tx: Option<Tx>, done: Vec<Box<dyn Operation>>, fault: Fault) {
        if let Some(tx) = tx {
            let _ = tx.rollback().await;
        }
        match Database::connect(self.options.clone()).await {
            Ok(fresh) => {
                let old = std::mem::replace(&mut self.connection, fresh);
                let _ = old.close().await;
            }
            Err(error) => tracing::error!(%error, "the database could not be opened anew"),
        }
        done.into_iter().for_each(|operation| operation.answer(Some(&fault)));
    }
}

/// Runs one operation that is not its group's first. An error means that the surrounding transaction is gone.
async fn run_one(tx: &Tx, operation: &mut dyn Operation) -> Result<(), Fault> {
    let Err(undo) = operation.run(tx).await else {
        return Ok(());
    };
    match (tx.go_back().await, undo) {
        (Ok(()), _) => Ok(()),
        // A database whose disk is full ends the transaction by itself; then there is nothing to go back to.
        (Err(_), Undo::Failed(fault)) => Err(fault),
        (Err(error), Undo::TakenBack) => Err(error.into()),
    }
}
