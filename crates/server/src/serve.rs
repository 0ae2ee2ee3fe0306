//! The process that serves: listener, connections, workers, signals, and an orderly end.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use across::{
    clock::{Clock as _, SystemClock},
    jobs,
    knowledge::fill,
};
use axum::{Router, extract::ConnectInfo};
use hyper::{
    Request,
    body::Incoming,
    header::{CONNECTION, HeaderValue, TRANSFER_ENCODING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::{
    address,
    cli::print,
    compose::compose,
    config::Config,
    failure::Failure,
    head,
    limits::{Limits, Place, Places},
    metrics::{self, Metrics, OpenConnection},
    middleware::watch_panics,
    recovery,
    router::router,
    state::{AppState, HttpConfig, Readiness, SetupToken},
    wire::{Exchange, Patience, Wire},
};

/// Jobs at a time.
const WORKERS: usize = 2;
/// Connections at a time; more are refused.
const MAX_CONNECTIONS: usize = 8192;
/// Connections of one address at a time, unless it is this machine's or a trusted proxy's; many offices sit behind one.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 1024;
/// Connections that the system holds until we accept them. With few, a burst loses some: their clients believe to be
/// connected and hear nothing.
const BACKLOG: u32 = 4096;
/// Files and connections that the process may hold: those, the database's and a reserve.
const MAX_OPEN: u64 = MAX_CONNECTIONS as u64 + 1024;
/// How long connections wait for their peers. A kept one outlives that of a proxy in front, which is usually 60 seconds.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    write: Duration::from_secs(30),
    linger: Duration::from_secs(2),
};
/// Bytes that are read from a connection at a time, more than any head has.
const BUFFER: usize = 32 * 1024;
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
    watch_panics();
    let metrics = Metrics::start(SystemClock.now().timestamp())
        .map_err(|error| Failure::Working(format!("metrics cannot be counted: {error}")))?;
    let mut ending = Ending::watch()?;
    let composition = compose(&config).await?;
    let platform = Arc::clone(&composition.platform);
    platform.providers.warm_up();
    let failed =
        |error: across::fault::StoreError| Failure::Working(format!("the last run cannot be taken up: {error}"));
    recovery::recover(&platform).await.map_err(failed)?;
    let listener = listen(config.listen).map_err(|error| {
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
            trusted_proxies: config.trusted_proxies,
            cors_origins: config.cors_origins,
            metrics_token: config.metrics_token,
        }),
        ready: Arc::new(Readiness::default()),
        model_refreshes: Arc::default(),
        limits: Arc::new(Limits::new(config.rate_per_user, config.rate_per_address)),
        metrics,
    };
    let app = router(state.clone());

    // Before any job writes points, which would be counted too.
    fill::look(&platform).await;
    for _ in 0..WORKERS {
        let worker = Arc::clone(&platform);
        platform.tasks.spawn(async move {
            let work = || jobs::runner::work(Arc::clone(&worker));
            recovery::kept_up("work on jobs", &worker.stopping, work).await;
        });
    }
    platform.tasks.spawn(recovery::watch(Arc::clone(&platform)));
    let filler = Arc::clone(&platform);
    platform.tasks.spawn(async move {
        let fill = || fill::keep_complete(&filler);
        recovery::kept_up("keep the vector store complete", &filler.stopping, fill).await;
    });
    tokio::spawn(state.metrics.clone().upkeep());
    state.ready.set(true);
    announce(&state, address).await?;
    tracing::info!(%address, "serving");

    let connections = Connections::new(app, Arc::clone(&state.http));
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
    if timeout(CLOSE_TIME, platform.store.close()).await.is_err() {
        tracing::warn!("the database was not closed in time; the next start takes up what stands beside it");
    }
    tracing::info!("ended");
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // An address is free again as soon as the process that had it is gone.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
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
    config: Arc<HttpConfig>,
    places: Places<IpAddr>,
    graceful: GracefulShutdown,
    tasks: TaskTracker,
}

impl Connections {
    fn new(app: Router, config: Arc<HttpConfig>) -> Self {
        let mut http = http1::Builder::new();
        // Time and size of heads are kept by the wire below, which knows a silent connection from a slow head.
        http.header_read_timeout(None)
            .max_headers(head::MAX_HEADERS + 1)
            .max_buf_size(BUFFER);
        Self {
            app,
            http,
            config,
            places: Places::new(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS),
            graceful: GracefulShutdown::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts connections and serves each in a task of its own, for ever.
    async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(place) = self.place(peer.ip()) else {
                        tracing::debug!(%peer, "a connection was refused: there are too many");
                        metrics::connection_refused();
                        continue;
                    };
                    let connection = self.serve(stream, peer);
                    self.tasks.spawn(async move {
                        let _open = (place, OpenConnection::new());
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

    /// A place for one more connection of an address.
    fn place(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        let address = address.to_canonical();
        let is_exempt = address.is_loopback() || address::is_within(address, &self.config.trusted_proxies);
        let place = if is_exempt {
            self.places.take_exempt()
        } else {
            self.places.take(address::counted(address))
        };
        place.ok()
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = hyper::Result<()>> + use<> {
        // Without it small events of a stream could wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let app = self.app.clone();
        let exchange = Arc::new(Exchange::default());
        let wire = Wire::new(stream, PATIENCE, Arc::clone(&exchange));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let fault = exchange.fault();
            if let Some(fault) = fault {
                request.extensions_mut().insert(fault);
            }
            // The wire does not look for the end of chunks, so nothing may come after them.
            let is_last = fault.is_some() || request.headers().contains_key(TRANSFER_ENCODING);
            let (app, exchange) = (app.clone(), Arc::clone(&exchange));
            async move {
                let mut response = app.oneshot(request).await?;
                if is_last {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| exchange.answer(body)))
            }
        });
        self.graceful
            .watch(self.http.serve_connection(TokioIo::new(wire), service))
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
