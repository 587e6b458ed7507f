//! [`Disposition`]: what becomes of a key when its handler has answered.

use std::error::Error;

use http::StatusCode;
use tower::load_shed::error::Overloaded;

use crate::body::error::causes;

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
    /// Nothing was begun: the key is what it was before the request, and no attempt is counted. For refusals, and for
    /// what answers in place of the handler, such as the shedding of load.
    NotBegun,
    /// Released under at-least-once, in doubt under at-most-once.
    ByGuarantee,
}

/// What becomes of a key under a status, by default: a status that says what came of the operation is final, one
/// that says that it was not begun gives the key back, and one that says neither is left to the guarantee.
///
/// | status | disposition |
/// | --- | --- |
/// | 2xx, 302, 303 | [`Store`](Disposition::Store) |
/// | 400, 402, 404, 410, 422, and other 4xx | [`Store`](Disposition::Store): an answer to the request as it is compared |
/// | 300, 301, 304, 305, 307, 308 | [`NotBegun`](Disposition::NotBegun): it was sent elsewhere, or to a state that is not there |
/// | 401, 403, 407, 451, 511 | [`NotBegun`](Disposition::NotBegun): who asks, which other credentials change |
/// | 406, 411, 412, 415, 416, 417, 421, 426, 428, 431 | [`NotBegun`](Disposition::NotBegun): a header, which a retry may send otherwise |
/// | 405, 413, 414, 501, 505 | [`NotBegun`](Disposition::NotBegun): refused by the server before the operation |
/// | 409, 423, 424, 425, 429 | [`NotBegun`](Disposition::NotBegun): the state of something else, which passes |
/// | 408, and other 5xx | [`ByGuarantee`](Disposition::ByGuarantee): nobody knows how far it came |
/// | 1xx | [`Omit`](Disposition::Omit): a connection that was upgraded cannot be replayed |
#[must_use]
pub fn by_status(status: StatusCode) -> Disposition {
    match status.as_u16() {
        100..=199 => Disposition::Omit,
        302 | 303 => Disposition::Store,
        300..=399 => Disposition::NotBegun,
        401 | 403 | 407 | 451 | 511 => Disposition::NotBegun,
        406 | 411 | 412 | 415 | 416 | 417 | 421 | 426 | 428 | 431 => Disposition::NotBegun,
        405 | 413 | 414 | 501 | 505 => Disposition::NotBegun,
        409 | 423 | 424 | 425 | 429 => Disposition::NotBegun,
        408 | 500..=599 => Disposition::ByGuarantee,
        _ => Disposition::Store,
    }
}

/// The default for errors of the inner service: where load was shed (`tower::load_shed`) the handler was
/// [not begun](Disposition::NotBegun); of anything else nobody knows, so it is
/// [`ByGuarantee`](Disposition::ByGuarantee).
#[must_use]
pub fn by_error(error: &(dyn Error + 'static)) -> Disposition {
    if causes(error).any(|cause| cause.is::<Overloaded>()) {
        Disposition::NotBegun
    } else {
        Disposition::ByGuarantee
    }
}
