//! [`Disposition`]: what becomes of a key when its handler has answered.

use http::StatusCode;

/// What becomes of a key when its handler has answered.
///
/// The layer decides by status, see [`by_status`]; a handler that knows better puts a disposition
/// among the extensions of its response.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// The response is stored, and is what every retry gets.
    Store,
    /// That it ran is stored, the response is not: a retry is told so.
    Omit,
    /// The key is released: a retry runs again.
    Release,
    /// Nobody knows whether it took effect: the key is in doubt until that is resolved.
    Doubt,
    /// Released under at-least-once, in doubt under at-most-once.
    ByGuarantee,
}

/// The default: 429 is released, 5xx is [`ByGuarantee`](Disposition::ByGuarantee), everything else is
/// stored.
#[must_use]
pub fn by_status(status: StatusCode) -> Disposition {
    if status == StatusCode::TOO_MANY_REQUESTS {
        Disposition::Release
    } else if status.is_server_error() {
        Disposition::ByGuarantee
    } else {
        Disposition::Store
    }
}
