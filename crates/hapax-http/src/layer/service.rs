//! [`Idempotency`]: the service that the layer makes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::error::BoxError;
use crate::body::reply_body::ReplyBody;
use crate::body::request_body::RequestBody;
use crate::config::Config;
use crate::layer::guard::guard;
use crate::layer::request_watch::RequestWatch;
use crate::request::coverage::Entry;

/// A service that runs each key once. [`IdempotencyLayer`](crate::IdempotencyLayer) makes it.
///
/// It takes requests with any body and gives the inner service a [`RequestBody`]. It calls the inner service in a
/// separate task, so it needs a tokio runtime.
///
/// It is always ready: it asks the inner service for room only when a handler is about to run. So a duplicate takes up
/// no room under an inner limit, and a stored answer needs none.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
///
/// use hapax::{Policy, Store};
/// use hapax_http::{IdempotencyLayer, RequestBody};
/// use http::{Request, Response};
/// use tower::{Layer, service_fn};
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let pay = service_fn(|_: Request<RequestBody>| async {
///     Ok::<_, Infallible>(Response::new("paid".to_owned()))
/// });
/// let service = IdempotencyLayer::new(payments).one_tenant().layer(pay);
/// # Ok::<(), hapax::Error>(())
/// ```
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
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    Q: Body + Send + 'static,
    Q::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ReplyBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<B, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let inner = self.inner.clone();
        let watch = RequestWatch::new(&self.config, &parts);
        let future: Answering<B, S::Error> = match self.config.coverage.enter(&parts) {
            Entry::Pass(ending) => {
                watch.passed(ending);
                let request = Request::from_parts(parts, RequestBody::passed(body));
                Box::pin(pass(inner, request))
            }
            Entry::Refuse(refusal) => {
                let answer = self.config.problems.refuse(refusal);
                watch.answered(answer.status(), answer.extensions());
                Box::pin(async { Ok(answer.map(ReplyBody::whole)) })
            }
            Entry::Guard(key) => {
                let config = Arc::clone(&self.config);
                Box::pin(guard(config, inner, parts, body, key, watch))
            }
        };
        ResponseFuture { future }
    }
}

/// Passes a request on as it is.
async fn pass<S, B>(
    mut inner: S,
    request: Request<RequestBody>,
) -> Result<Response<ReplyBody<B>>, S::Error>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
{
    poll_fn(|context| inner.poll_ready(context)).await?;
    let response = inner.call(request).await?;
    Ok(response.map(ReplyBody::passed))
}

impl<S: fmt::Debug> fmt::Debug for Idempotency<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<ReplyBody<B>>, E>> + Send>>;

/// The future response of an [`Idempotency`].
pub struct ResponseFuture<B, E> {
    future: Answering<B, E>,
}

impl<B, E> Future for ResponseFuture<B, E> {
    type Output = Result<Response<ReplyBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(context)
    }
}

impl<B, E> fmt::Debug for ResponseFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
