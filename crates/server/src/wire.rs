//! A connection's bytes under our rules: a head is judged before the HTTP library sees it, and has its time; a connection
//! between requests may be silent longer; one whose peer takes nothing ends.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use bytes::BytesMut;
use futures::task::AtomicWaker;
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::head::{BodyLength, Fault, Head, Scan};

/// Bytes read at a time while a head is awaited.
const CHUNK: usize = 4096;
/// What the HTTP library gets to read in place of a head that was refused, so that the refusal is answered like any
/// other request: with our body, our headers and a line in the log.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\n\r\n";

/// How long a connection waits for its peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a head, from its first byte; on a new connection from the start.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// For the peer to take anything of what is sent.
    pub(crate) write: Duration,
    /// For what a peer still sends when the connection ends before all of its request was read. Without that the peer's
    /// system would throw away our answer unread.
    pub(crate) linger: Duration,
}

/// What a connection and the service that answers on it tell each other.
#[derive(Default)]
pub(crate) struct Exchange {
    is_answering: AtomicBool,
    fault: Mutex<Option<Fault>>,
    waker: AtomicWaker,
}

impl Exchange {
    /// Why the head was refused in whose place the service is called, if it was.
    pub(crate) fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of an answer; the next head is awaited once it is dropped.
    pub(crate) fn answer(self: &Arc<Self>, body: Body) -> AnswerBody {
        AnswerBody {
            body,
            exchange: Arc::clone(self),
        }
    }
}

/// The body of an answer on a connection.
pub(crate) struct AnswerBody {
    body: Body,
    exchange: Arc<Exchange>,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.exchange.is_answering.store(false, Ordering::Release);
        self.exchange.waker.wake();
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection under our rules. Of what arrives the HTTP library gets whole, judged heads and as much body as they
/// announce, never more. After a chunked body, whose end is not looked for here, the service ends the connection.
pub(crate) struct Wire<S> {
    stream: S,
    patience: Patience,
    exchange: Arc<Exchange>,
    /// What arrived and was not handed over yet; without memory while it is empty.
    buffer: BytesMut,
    /// How many bytes may be handed over before the next head.
    allowed: u64,
    scan: Scan,
    /// What was found out about the head in the buffer.
    verdict: Option<Result<Head, Fault>>,
    /// Whether no request came yet.
    is_new: bool,
    waiting: Option<(For, Pin<Box<Sleep>>)>,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

/// What a silent connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Request,
    RestOfHead,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, patience: Patience, exchange: Arc<Exchange>) -> Self {
        Self {
            stream,
            patience,
            exchange,
            buffer: BytesMut::new(),
            allowed: 0,
            scan: Scan::default(),
            verdict: None,
            is_new: true,
            waiting: None,
            stalled: None,
            lingering: None,
        }
    }

    /// Hands over what may be; at least one byte is allowed.
    fn hand_over(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = usize::try_from(self.allowed).unwrap_or(usize::MAX).min(out.remaining());
        let count = if self.buffer.is_empty() {
            let mut part = ReadBuf::new(out.initialize_unfilled_to(most));
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
            let count = part.filled().len();
            out.advance(count);
            count
        } else {
            let part = self.buffer.split_to(most.min(self.buffer.len()));
            out.put_slice(&part);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            part.len()
        };
        if self.allowed != u64::MAX {
            self.allowed -= count as u64;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on until the head's verdict is there; `false`: the peer is gone or was given up.
    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            self.exchange.waker.register(cx.waker());
            let is_answering = self.exchange.is_answering.load(Ordering::Acquire);
            if self.verdict.is_none() {
                self.verdict = self.scan.go_on(&self.buffer).transpose();
            }
            if self.verdict.is_some() {
                // The next request waits for the answer to this one.
                return if is_answering {
                    Poll::Pending
                } else {
                    Poll::Ready(Ok(true))
                };
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                Poll::Ready(Ok(())) if chunk.filled().is_empty() => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(())) => self.buffer.extend_from_slice(chunk.filled()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if is_answering => {
                    self.waiting = None;
                    return Poll::Pending;
                }
                Poll::Pending => return self.poll_patience(cx).map(|()| Ok(false)),
            }
        }
    }

    /// Ready when the peer has been silent for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (what, time) = if self.is_new || !self.buffer.is_empty() {
            (For::RestOfHead, self.patience.head)
        } else {
            (For::Request, self.patience.idle)
        };
        if self.waiting.as_ref().is_none_or(|(known, _)| *known != what) {
            self.waiting = None;
        }
        let (_, timer) = self.waiting.get_or_insert_with(|| (what, Box::pin(sleep(time))));
        timer.as_mut().poll(cx)
    }

    /// Lets the HTTP library read the head, or what stands in for it.
    fn accept(&mut self, verdict: Result<Head, Fault>) {
        self.waiting = None;
        self.is_new = false;
        self.scan = Scan::default();
        self.exchange.is_answering.store(true, Ordering::Release);
        self.allowed = match verdict {
            Ok(Head { length, body }) => match body {
                BodyLength::Known(body) => length.saturating_add(body),
                BodyLength::Chunked => u64::MAX,
            },
            Err(fault) => {
                *self.exchange.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                self.buffer = BytesMut::from(STAND_IN);
                STAND_IN.len() as u64
            }
        };
    }

    /// Passes on how a write went; one that has waited too long has failed.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let time = self.patience.write;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing of what is sent",
        )))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.allowed == 0 {
            if wire.exchange.fault().is_some() {
                // Nothing more is read from whoever sent a head that cannot be trusted; the answer ends the connection.
                return Poll::Pending;
            }
            if !ready!(wire.poll_verdict(cx))? {
                return Poll::Ready(Ok(()));
            }
            if let Some(verdict) = wire.verdict.take() {
                wire.accept(verdict);
            }
        }
        wire.hand_over(cx, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.stream).poll_write(cx, bytes);
        wire.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.stream).poll_write_vectored(cx, slices);
        wire.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.stream).poll_flush(cx);
        wire.written(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.lingering.is_none() {
            ready!(Pin::new(&mut wire.stream).poll_shutdown(cx))?;
            let is_all_read = wire.allowed == 0 && wire.exchange.fault().is_none();
            if is_all_read {
                return Poll::Ready(Ok(()));
            }
        }
        let time = wire.patience.linger;
        let timer = wire.lingering.get_or_insert_with(|| Box::pin(sleep(time)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut chunk = [0; CHUNK];
        loop {
            let mut thrown_away = ReadBuf::new(&mut chunk);
            let outcome = ready!(Pin::new(&mut wire.stream).poll_read(cx, &mut thrown_away));
            if outcome.is_err() || thrown_away.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::{Instant, timeout},
    };

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const SHORT: Patience = Patience {
        head: Duration::from_millis(100),
        idle: Duration::from_millis(400),
        write: Duration::from_millis(100),
        linger: Duration::from_millis(100),
    };

    fn wire(room: usize) -> (DuplexStream, Wire<DuplexStream>, Arc<Exchange>) {
        let (peer, ours) = duplex(room);
        let exchange = Arc::new(Exchange::default());
        (peer, Wire::new(ours, SHORT, Arc::clone(&exchange)), exchange)
    }

    async fn head(wire: &mut Wire<DuplexStream>) {
        let mut read = vec![0; HEAD.len()];
        wire.read_exact(&mut read).await.unwrap();
        assert_eq!(read, HEAD);
    }

    #[tokio::test]
    async fn a_kept_connection_may_be_silent_longer_than_a_head() {
        let (mut peer, mut wire, exchange) = wire(4096);
        peer.write_all(HEAD).await.unwrap();
        head(&mut wire).await;
        let mut rest = Vec::new();
        // While the answer is written nobody is hurried.
        assert!(timeout(2 * SHORT.idle, wire.read_to_end(&mut rest)).await.is_err());
        drop(exchange.answer(Body::empty()));
        let began = Instant::now();
        wire.read_to_end(&mut rest).await.unwrap();
        assert!(
            rest.is_empty() && began.elapsed() >= SHORT.idle,
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test]
    async fn s42_a_head_has_its_time_from_its_first_byte() {
        for begun in [&HEAD[..0], &HEAD[..10]] {
            let (mut peer, mut wire, _exchange) = wire(4096);
            peer.write_all(begun).await.unwrap();
            let began = Instant::now();
            let mut read = Vec::new();
            wire.read_to_end(&mut read).await.unwrap();
            assert!(read.is_empty() && began.elapsed() < SHORT.idle, "{:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn the_next_request_waits_for_the_answer_and_is_not_forgotten() {
        let (mut peer, mut wire, exchange) = wire(4096);
        peer.write_all(&[HEAD, HEAD].concat()).await.unwrap();
        head(&mut wire).await;
        let second = tokio::spawn(async move { head(&mut wire).await });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(exchange.answer(Body::empty()));
        timeout(SHORT.idle, second).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn s42_a_peer_that_takes_nothing_is_given_up() {
        let (_peer, mut wire, _exchange) = wire(16);
        let error = timeout(SHORT.idle, wire.write_all(&[0; 64]))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn s42_after_a_refused_head_nothing_is_read_but_what_stands_in_for_it() {
        let (mut peer, mut wire, exchange) = wire(4096);
        let bad = b"GET / HTTP/1.1\nhost: x\n\n";
        peer.write_all(&[&bad[..], HEAD].concat()).await.unwrap();
        let mut read = vec![0; STAND_IN.len()];
        wire.read_exact(&mut read).await.unwrap();
        assert_eq!((&read[..], exchange.fault()), (STAND_IN, Some(Fault::Malformed)));
        assert!(timeout(SHORT.head, wire.read_u8()).await.is_err());
        // The peer's rest is taken away before the connection ends, but not for ever.
        timeout(SHORT.idle, wire.shutdown()).await.unwrap().unwrap();
    }
}
