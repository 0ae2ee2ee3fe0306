//! The process that serves: listener, connections, workers, signals, and an orderly end.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use across::jobs;
use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::{
    cli::print,
    compose::compose,
    config::Config,
    failure::Failure,
    recovery,
    router::router,
    state::{AppState, HttpConfig, Readiness, SetupToken},
};

/// Jobs at a time.
const WORKERS: usize = 2;
/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 8192;
/// Files and connections that the process may hold: those, the database's and a reserve.
const MAX_OPEN: u64 = MAX_CONNECTIONS as u64 + 1024;
/// How long a client may take to send a request's head; also how long a kept connection may be silent.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of a request at most.
const MAX_HEADERS: usize = 100;
/// Bytes of a request's head at most, and what is read from a connection at a time.
const BUFFER: usize = 16 * 1024;
/// How long work in progress may take to end once the process is told to; answers end themselves a little earlier.
const DRAIN_TIME: Duration = Duration::from_secs(27);
/// How long connections may take to end after the work is done.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// The pause after a connection could not be accepted, e.g. because no more files may be open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until told to end by SIGTERM or SIGINT, then ends what is in progress and returns.
///
/// # Errors
/// [`Failure`] if serving cannot begin, or a second signal asks to end at once.
pub async fn serve(config: Config) -> Result<(), Failure> {
    raise_open_files();
    let mut ending = Ending::watch()?;
    let composition = compose(&config).await?;
    let platform = Arc::clone(&composition.platform);
    let failed =
        |error: across::fault::StoreError| Failure::Working(format!("the last run cannot be taken up: {error}"));
    recovery::recover(&platform).await.map_err(failed)?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Failure::Working(format!(
            "{} cannot be listened on: {error}. Choose another address with --listen.",
            config.listen
        ))
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Working(error.to_string()))?;
    let state = AppState {
        platform: Arc::clone(&platform),
        setup: Arc::new(SetupToken::random()),
        http: Arc::new(HttpConfig {
            public_url: config.public_url,
            docs: config.docs,
        }),
        ready: Arc::new(Readiness::default()),
        model_refreshes: Arc::default(),
    };
    let app = router(state.clone());

    for _ in 0..WORKERS {
        platform.tasks.spawn(jobs::runner::work(Arc::clone(&platform)));
    }
    platform.tasks.spawn(recovery::watch(Arc::clone(&platform)));
    tokio::spawn(recovery::sweep(Arc::clone(&platform)));
    state.ready.set(true);
    announce(&state, address).await?;
    tracing::info!(%address, "serving");

    let connections = Connections::new(app);
    tokio::select! {
        never = connections.accept(&listener) => match never {},
        () = ending.asked() => {}
    }
    tracing::info!("ending: no new work; what is in progress may end");
    state.ready.set(false);
    platform.stopping.cancel();
    platform.tasks.close();
    // Connections are still accepted, so that answers can be read to their end and whoever asks learns what happens.
    tokio::select! {
        never = connections.accept(&listener) => match never {},
        done = timeout(DRAIN_TIME, platform.tasks.wait()) => if done.is_err() {
            tracing::warn!(tasks = platform.tasks.len(), "some work did not end in time; the next start takes it up");
        },
        () = ending.asked() => return Err(at_once()),
    }
    tokio::select! {
        () = connections.close() => {}
        () = ending.asked() => return Err(at_once()),
    }
    tracing::info!("ended");
    Ok(())
}

fn at_once() -> Failure {
    Failure::Working("ended at once by a second signal; the next start takes up what was in progress".to_owned())
}

/// Says on standard output where the process listens, and how to set it up while it has no users.
async fn announce(state: &AppState, address: SocketAddr) -> Result<(), Failure> {
    print(&format!("listening on http://{address}\n"))?;
    let any_user = state.platform.store.any_user().await;
    if any_user.map_err(|error| Failure::Working(error.to_string()))? {
        return Ok(());
    }
    print(&format!(
        "set up at http://{address}/setup?token={}\n",
        state.setup.expose()
    ))
}

/// The signals that ask the process to end.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| signal(kind).map_err(|error| Failure::Working(format!("signals cannot be caught: {error}")));
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
        })
    }

    /// Returns when the process is asked to end; once for every time it is.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Everything that holds a connection open.
struct Connections {
    app: Router,
    http: http1::Builder,
    room: Arc<Semaphore>,
    graceful: GracefulShutdown,
    tasks: TaskTracker,
}

impl Connections {
    fn new(app: Router) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(BUFFER);
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Self {
            app,
            http,
            room,
            graceful: GracefulShutdown::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts connections and serves each in a task of its own, for ever.
    async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            let place = Arc::clone(&self.room).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = self.serve(stream, peer);
                    self.tasks.spawn(async move {
                        let _place = place;
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, %peer, "connection ended early");
                        }
                    });
                }
                Err(error) => {
                    // A peer that hung up first is not our concern; a lack of resources passes.
                    tracing::debug!(%error, "could not accept a connection");
                    if !is_about_the_peer(&error) {
                        tracing::warn!(%error, "cannot accept connections at the moment");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = hyper::Result<()>> + use<> {
        // Without it small events of a stream could wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let app = self.app.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().oneshot(request)
        });
        self.graceful
            .watch(self.http.serve_connection(TokioIo::new(stream), service))
    }

    /// Ends every connection after the answer it is sending.
    async fn close(self) {
        self.tasks.close();
        let ended = async {
            self.graceful.shutdown().await;
            self.tasks.wait().await;
        };
        if timeout(CLOSE_TIME, ended).await.is_err() {
            tracing::warn!("some connections were cut");
        }
    }
}

fn is_about_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Asks the system for as many open files as connections need; with fewer, connections wait longer.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(MAX_OPEN, |most| most.min(MAX_OPEN));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                ..limit
            },
        );
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}
