//! The key of the store: whose request, of which operation, under which key of the client.

use hapax::Key;
use http::Uri;
use http::request::Parts;

use crate::refusal::{Reason, Refusal};

/// Most bytes of the name of a scope, and of an operation, so that the whole fits a key of a store.
pub(crate) const SCOPE_BYTES_MAX: usize = 255;
pub(crate) const OPERATION_BYTES_MAX: usize = 500;

/// The parts are framed by their lengths, so no two scopes meet.
pub(crate) fn key(scope: &str, operation: &str, client_key: &str) -> Result<Key, Refusal> {
    if scope.len() > SCOPE_BYTES_MAX {
        let detail = "the scope of the request is over 255 bytes: the hook `scope` has to give a shorter name";
        return Err(Refusal::new(Reason::MissingScope, detail));
    }
    if operation.len() > OPERATION_BYTES_MAX {
        let detail = "the method and the path are over 500 bytes: send what is variable in the query or the body";
        return Err(Refusal::new(Reason::OperationTooLong, detail));
    }
    Ok(Key::join([scope, operation, client_key]))
}

/// The operation that a request asks for, unless [`IdempotencyLayer::operation`] says otherwise: the method and
/// the route, in axum its template, as in `POST /payments/{id}`, else the path in the one spelling of RFC 3986,
/// section 6.2.2: `/pay/%7Ebob` is `/pay/~bob`.
///
/// A service with several hosts puts the host before it:
///
/// ```
/// # use hapax::{Policy, Store};
/// # use hapax_http::IdempotencyLayer;
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let layer = IdempotencyLayer::new(payments).one_tenant().operation(|request| {
///     let host = request.headers.get("host").and_then(|host| host.to_str().ok());
///     format!("{} {}", host.unwrap_or_default().to_ascii_lowercase(), hapax_http::operation(request))
/// });
/// # Ok::<(), hapax::Error>(())
/// ```
///
/// [`IdempotencyLayer::operation`]: crate::IdempotencyLayer::operation
#[must_use]
pub fn operation(parts: &Parts) -> String {
    match template(parts) {
        Some(template) => format!("{} {template}", parts.method),
        None => format!("{} {}", parts.method, crate::uri::path(uri(parts).path())),
    }
}

/// The template that axum has matched.
#[cfg(feature = "axum")]
pub(crate) fn template(parts: &Parts) -> Option<&str> {
    let matched = parts.extensions.get::<axum::extract::MatchedPath>();
    matched.map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn template(_: &Parts) -> Option<&str> {
    None
}

/// What was asked for: a router that is nested in another finds its prefix taken off the head.
#[cfg(feature = "axum")]
pub(crate) fn uri(parts: &Parts) -> &Uri {
    let original = parts.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(&parts.uri, |original| &original.0)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn uri(parts: &Parts) -> &Uri {
    &parts.uri
}
