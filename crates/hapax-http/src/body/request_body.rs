//! [`RequestBody`]: the body that the layer gives the inner service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::body::error::BoxError;
use crate::body::frames::in_bytes;
use crate::body::whole::Whole;

/// The body of a request inside the layer, whatever body the request came with. If the request has a key, it is read
/// to its end; if the request is passed on, it is read as it arrives. Trailers are kept either way.
///
/// axum's routers and handlers take it as it is. For a service that insists on another body, such as
/// `axum::middleware::from_fn` in one `ServiceBuilder` with the layer, convert it with `map_request`:
///
/// ```
/// use axum::body::Body;
/// use axum::{Router, middleware, routing::post};
/// # use axum::{extract::Request, middleware::Next, response::Response};
/// # use hapax::{Policy, Store};
/// # use hapax_http::{IdempotencyLayer, RequestBody};
/// use tower::ServiceBuilder;
///
/// # async fn trace(request: Request, next: Next) -> Response { next.run(request).await }
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// # let idempotency = IdempotencyLayer::new(payments).one_tenant();
/// let stack = ServiceBuilder::new()
///     .layer(idempotency)
///     .map_request(|request: http::Request<RequestBody>| request.map(Body::new))
///     .layer(middleware::from_fn(trace));
/// let app: Router = Router::new().route("/payments", post(|| async { "paid" })).layer(stack);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Default)]
pub struct RequestBody {
    kind: Kind,
}

enum Kind {
    Whole(Whole),
    Passed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Whole(Bytes::new().into())
    }
}

impl RequestBody {
    pub(crate) fn whole(body: Whole) -> Self {
        Self {
            kind: Kind::Whole(body),
        }
    }

    pub(crate) fn passed<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = body.map_frame(in_bytes).map_err(Into::into);
        Self {
            kind: Kind::Passed(body.boxed_unsync()),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(body: Bytes) -> Self {
        Self::whole(body.into())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.kind {
            Kind::Whole(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Kind::Passed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Passed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(body) => body.size_hint(),
            Kind::Passed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Whole(_) => "RequestBody::Whole",
            Kind::Passed(_) => "RequestBody::Passed",
        })
    }
}
