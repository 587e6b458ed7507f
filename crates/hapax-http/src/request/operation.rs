//! [`operation`]: the operation that a request asks for.

use http::Uri;
use http::request::Parts;

use crate::request::uri_spelling;

/// The operation that a request asks for, unless [`IdempotencyLayer::operation`] says otherwise: the method and
/// the route. In axum the route is the template, as in `POST /payments/{id}`; otherwise it is the path in the
/// spelling of RFC 3986, section 6.2.2: `/pay/%7Ebob` is `/pay/~bob`.
///
/// A service with several hosts adds the host:
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
        None => format!(
            "{} {}",
            parts.method,
            uri_spelling::path(requested_uri(parts).path())
        ),
    }
}

/// The template that axum matched.
#[cfg(feature = "axum")]
pub(crate) fn template(parts: &Parts) -> Option<&str> {
    let matched = parts.extensions.get::<axum::extract::MatchedPath>();
    matched.map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn template(_: &Parts) -> Option<&str> {
    None
}

/// The URI that the client asked for: in a nested router the head lacks the prefix of that router.
#[cfg(feature = "axum")]
pub(crate) fn requested_uri(parts: &Parts) -> &Uri {
    let original = parts.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(&parts.uri, |original| &original.0)
}

#[cfg(not(feature = "axum"))]
pub(crate) fn requested_uri(parts: &Parts) -> &Uri {
    &parts.uri
}
