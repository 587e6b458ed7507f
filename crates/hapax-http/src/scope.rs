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

/// The method and the route: its template, as in `POST /payments/{id}`, where axum tells it, else the
/// path.
pub(crate) fn operation(parts: &Parts) -> String {
    format!("{} {}", parts.method, route(parts))
}

#[cfg(feature = "axum")]
fn route(parts: &Parts) -> &str {
    let matched = parts.extensions.get::<axum::extract::MatchedPath>();
    matched.map_or(uri(parts).path(), |matched| matched.as_str())
}

#[cfg(not(feature = "axum"))]
fn route(parts: &Parts) -> &str {
    uri(parts).path()
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
