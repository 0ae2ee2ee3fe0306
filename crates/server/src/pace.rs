//! How long a request may take: its body to arrive, its handler to answer.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::error::{ApiError, Kind};

/// The kinds of requests that differ in the time they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A body of JSON, an answer soon.
    Ordinary,
    /// A body of JSON, then an answer that a model writes; the model's own limits end it.
    Answer,
    /// A large body that must keep coming.
    Upload,
}

/// The times themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// For a JSON body to arrive.
    body: Duration,
    /// For a handler to answer once the body is there.
    handling: Duration,
    /// For an upload as a whole.
    upload: Duration,
    /// For every so many bytes of an upload.
    window: Duration,
    /// The bytes that must come in a window.
    window_bytes: usize,
}

/// The times of the product.
pub(crate) const TIMES: Times = Times {
    body: Duration::from_secs(30),
    handling: Duration::from_secs(30),
    upload: Duration::from_secs(600),
    window: Duration::from_secs(30),
    window_bytes: 30 * 1024,
};

/// Ends a request that takes too long: 408 if its body is late, 503 if its handler is.
pub(crate) async fn keep(State((pace, times)): State<(Pace, Times)>, request: Request, next: Next) -> Response {
    let is_late = Arc::new(AtomicBool::new(false));
    let has_body = !request.body().is_end_stream();
    let request = request.map(|body| {
        Body::new(Arriving {
            body,
            pace,
            times,
            is_late: Arc::clone(&is_late),
            window: None,
            arrived: 0,
            ends: None,
        })
    });
    let handling = match pace {
        Pace::Ordinary if has_body => Some(times.body + times.handling),
        Pace::Ordinary => Some(times.handling),
        Pace::Answer | Pace::Upload => None,
    };
    let answer = match handling {
        Some(limit) => timeout(limit, next.run(request)).await.ok(),
        None => Some(next.run(request).await),
    };
    if is_late.load(Ordering::Acquire) {
        let late = ApiError::new(
            Kind::TIMEOUT,
            "The request's body came too slowly. Try again on a better connection.",
        );
        let mut response = late.into_response();
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        return response;
    }
    answer.unwrap_or_else(|| {
        let slow = ApiError::new(
            Kind::UNAVAILABLE,
            "This took too long and was given up. Try again soon.",
        );
        slow.retry_after(5).into_response()
    })
}

/// A body that must arrive in time.
struct Arriving {
    body: Body,
    pace: Pace,
    times: Times,
    is_late: Arc<AtomicBool>,
    /// When the present window ends; begins when the body is first asked for.
    window: Option<Pin<Box<Sleep>>>,
    /// Bytes of the present window.
    arrived: usize,
    /// When the whole body must be there.
    ends: Option<Instant>,
}

impl Arriving {
    /// Ready when the body is late. Looked at only while we wait for the peer, so our own slowness is not held against it.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (window, whole) = match self.pace {
            Pace::Upload => (self.times.window, self.times.upload),
            Pace::Ordinary | Pace::Answer => (self.times.body, self.times.body),
        };
        loop {
            let now = Instant::now();
            let ends = *self.ends.get_or_insert(now + whole);
            let timer = self
                .window
                .get_or_insert_with(|| Box::pin(sleep_until(ends.min(now + window))));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if now >= ends || self.arrived < self.times.window_bytes {
                return Poll::Ready(());
            }
            self.arrived = 0;
            self.window = None;
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let outcome = Pin::new(&mut self.body).poll_frame(cx);
        match &outcome {
            Poll::Ready(Some(Ok(frame))) => {
                self.arrived += frame.data_ref().map_or(0, Bytes::len);
                outcome
            }
            Poll::Ready(_) => outcome,
            Poll::Pending => self.poll_late(cx).map(|()| {
                self.is_late.store(true, Ordering::Release);
                Some(Err(axum::Error::new("the body is late")))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{Router, middleware::from_fn_with_state, routing::post};
    use futures::StreamExt as _;
    use tower::ServiceExt as _;

    use super::*;

    const SHORT: Times = Times {
        body: Duration::from_millis(200),
        handling: Duration::from_millis(200),
        upload: Duration::from_millis(600),
        window: Duration::from_millis(150),
        window_bytes: 100,
    };

    /// What a client hears that sends so many bytes every 20 ms.
    async fn send(pace: Pace, bytes: usize, pieces: usize) -> (u16, String) {
        let app = Router::new()
            .route(
                "/",
                post(async |body: Body| {
                    axum::body::to_bytes(body, usize::MAX)
                        .await
                        .map_or(400, |_| 200)
                        .to_string()
                }),
            )
            .layer(from_fn_with_state((pace, SHORT), keep));
        let body = futures::stream::iter(0..pieces).then(move |_| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Bytes::from(vec![b' '; bytes]))
        });
        answer(app, Body::from_stream(body)).await
    }

    async fn answer(app: Router, body: Body) -> (u16, String) {
        let response = app.oneshot(Request::post("/").body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn s42_a_json_body_that_trickles_is_a_408() {
        for pace in [Pace::Ordinary, Pace::Answer] {
            assert_eq!(send(pace, 1, 3).await.0, 200);
            let (status, body) = send(pace, 1, 1000).await;
            assert_eq!(status, 408);
            assert!(body.contains("\"RequestTimeoutError\""), "{body}");
        }
    }

    #[tokio::test]
    async fn s42_an_upload_must_keep_coming_and_must_end() {
        assert_eq!(send(Pace::Upload, 100, 15).await.0, 200);
        assert_eq!(send(Pace::Upload, 1, 1000).await.0, 408);
        assert_eq!(send(Pace::Upload, 100, 1000).await.0, 408);
    }

    #[tokio::test]
    async fn s42_a_handler_that_does_not_answer_is_a_503_unless_a_model_writes() {
        let app = |pace| {
            let slow = async || {
                tokio::time::sleep(Duration::from_millis(500)).await;
                "done"
            };
            Router::new()
                .route("/", post(slow))
                .layer(from_fn_with_state((pace, SHORT), keep))
        };
        let (status, body) = answer(app(Pace::Ordinary), Body::empty()).await;
        assert_eq!(status, 503);
        assert!(
            body.contains("\"ServiceUnavailableError\"") && body.contains("\"retry_after\":5"),
            "{body}"
        );
        assert_eq!(answer(app(Pace::Answer), Body::empty()).await.0, 200);
    }
}
