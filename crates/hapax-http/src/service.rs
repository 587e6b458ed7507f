//! [`Idempotency`]: the service that the layer makes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::{BoxError, ReplyBody};
use crate::counters::Watch;
use crate::guard::{Entry, guard};
use crate::layer::Config;

/// A service that runs each key once. [`IdempotencyLayer`](crate::IdempotencyLayer) makes it.
///
/// The inner service is called in a task of its own, so it has to run within a tokio runtime. Trailers
/// of a request are not handed on.
#[derive(Clone)]
pub struct Idempotency<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> Idempotency<S> {
    pub(crate) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S, Q, B> Service<Request<Q>> for Idempotency<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    Q: Body<Data = Bytes> + From<Bytes> + Send + 'static,
    Q::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ReplyBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        self.config.counters.requests.one_more();
        let (parts, body) = request.into_parts();
        let kind = match self.config.enter(&parts) {
            Entry::Pass => Kind::Passed {
                future: self.inner.call(Request::from_parts(parts, body)),
            },
            Entry::Refuse(refusal) => {
                let watch = Watch::new(&self.config.counters);
                let answer = Some(self.config.refuse(refusal));
                watch.counted();
                Kind::Refused { answer }
            }
            Entry::Guard(key) => {
                // The clone that is left behind has yet to become ready; this one is.
                let next = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, next);
                let watch = Watch::new(&self.config.counters);
                let guarded = guard(Arc::clone(&self.config), ready, parts, body, key, watch);
                Kind::Guarded {
                    future: Box::pin(guarded),
                }
            }
        };
        ResponseFuture { kind }
    }
}

impl<S: fmt::Debug> fmt::Debug for Idempotency<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of an [`Idempotency`].
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        kind: Kind<F, B, E>,
    }
}

type Guarded<B, E> = Pin<Box<dyn Future<Output = Result<Response<ReplyBody<B>>, E>> + Send>>;

pin_project! {
    #[project = KindOf]
    enum Kind<F, B, E> {
        Passed { #[pin] future: F },
        Refused { answer: Option<Response<Bytes>> },
        Guarded { future: Guarded<B, E> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ReplyBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindOf::Passed { future } => future
                .poll(context)
                .map_ok(|response| response.map(ReplyBody::passed)),
            KindOf::Refused { answer } => {
                let answer = answer.take().expect("a future is not polled after its end");
                Poll::Ready(Ok(answer.map(ReplyBody::whole)))
            }
            KindOf::Guarded { future } => future.as_mut().poll(context),
        }
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
