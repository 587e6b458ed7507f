//! [`Outcome`]: what the layer did with a request.

use hapax::FencingToken;

use crate::answer::refusal::Refusal;

/// What the layer did with a request: the contract, whatever statuses and headers are set to.
///
/// It lies among the extensions of each response of a covered request, for layers further out that
/// log or count.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The handler ran for this request.
    #[non_exhaustive]
    Executed {
        /// Whether a retry will get this very response.
        stored: bool,
        /// The fencing token that it ran under.
        token: FencingToken,
        /// Which attempt it was, from 1.
        attempt: u32,
    },
    /// The handler ran before; this is its stored response.
    #[non_exhaustive]
    Replayed {
        /// The fencing token that it ran under.
        token: FencingToken,
        /// Runs that it took.
        attempts: u32,
        /// Store time at which it was stored, in seconds since 1970.
        settled_at: u64,
        /// Store time until which it is replayed, in seconds since 1970.
        expires_at: u64,
        /// The request id of the first request under this key, where it sent one.
        first_request_id: Option<String>,
    },
    /// The layer answered.
    Refused(Refusal),
    /// The hook [`screen`](crate::IdempotencyLayer::screen) answered; nothing was claimed.
    Screened,
    /// The store could not answer and the layer was told to [fail
    /// open](crate::IdempotencyLayer::fail_open): the handler ran without protection.
    Unprotected,
}
