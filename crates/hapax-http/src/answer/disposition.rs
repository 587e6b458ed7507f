//! [`Disposition`]: what happens to a key when its handler has answered.

use std::error::Error;

use http::StatusCode;
use tower::load_shed::error::Overloaded;

use crate::body::error::causes;

/// What happens to a key when its handler has answered.
///
/// The layer decides by status, see [`by_status`]. A handler that knows better puts a disposition
/// among the extensions of its response.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax_http::{Disposition, IdempotencyLayer};
/// use http::StatusCode;
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let layer = IdempotencyLayer::new(payments)
///     .one_tenant()
///     .disposition_of(StatusCode::PAYMENT_REQUIRED, Disposition::Release);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// The response is stored, and every retry gets it.
    Store,
    /// The store keeps that the handler ran, but not the response: a retry is told so.
    Omit,
    /// The key is released: a retry runs again.
    Release,
    /// It is not known whether the handler took effect: the key is in doubt until that is resolved.
    Doubt,
    /// Nothing began: the key is as it was before the request, and no attempt counts. For refusals, and for services
    /// that answer in place of the handler, such as load shedding.
    NotBegun,
    /// Released under at-least-once, in doubt under at-most-once.
    ByGuarantee,
}

/// The default disposition of a status. A status that reports the result of the operation is final, a status that
/// says that the operation did not begin gives the key back, and any other status is left to the guarantee.
///
/// | status | disposition |
/// | --- | --- |
/// | 2xx, 302, 303 | [`Store`](Disposition::Store) |
/// | 400, 402, 404, 410, 422, and other 4xx | [`Store`](Disposition::Store): an answer to what is compared |
/// | 300, 301, 304, 305, 307, 308 | [`NotBegun`](Disposition::NotBegun): the client was sent elsewhere, or its copy is still current |
/// | 401, 403, 407, 451, 511 | [`NotBegun`](Disposition::NotBegun): it depends on who asked, and a retry may have other credentials |
/// | 406, 411, 412, 415, 416, 417, 421, 426, 428, 431 | [`NotBegun`](Disposition::NotBegun): it depends on a header that a retry may change |
/// | 405, 413, 414, 501, 505 | [`NotBegun`](Disposition::NotBegun): the server refused before the operation |
/// | 409, 423, 424, 425, 429 | [`NotBegun`](Disposition::NotBegun): it depends on a passing state elsewhere |
/// | 408, and other 5xx | [`ByGuarantee`](Disposition::ByGuarantee): it is not known how far the handler came |
/// | 1xx | [`Omit`](Disposition::Omit): an upgraded connection cannot be replayed |
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

/// The default disposition of errors of the inner service: [`NotBegun`](Disposition::NotBegun) for load that was shed
/// (`tower::load_shed`), [`ByGuarantee`](Disposition::ByGuarantee) for all other errors, because it is not known how
/// far the handler came.
#[must_use]
pub fn by_error(error: &(dyn Error + 'static)) -> Disposition {
    if causes(error).any(|cause| cause.is::<Overloaded>()) {
        Disposition::NotBegun
    } else {
        Disposition::ByGuarantee
    }
}
