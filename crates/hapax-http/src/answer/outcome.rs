//! [`Outcome`]: what the layer did with a request.

use std::time::SystemTime;

use hapax::FencingToken;

use crate::answer::refusal::Refusal;

/// What the layer did with a request. This is the contract within a service; statuses and headers can be changed.
///
/// Each response to a covered request has it among its extensions, for outer layers that log or count.
///
/// # Examples
///
/// ```
/// use hapax_http::Outcome;
/// use http::Response;
///
/// fn log<B>(response: &Response<B>) {
///     match response.extensions().get::<Outcome>() {
///         Some(Outcome::Executed { token, .. }) => println!("ran under token {token}"),
///         Some(Outcome::Replayed { attempts, .. }) => println!("replayed after {attempts} attempts"),
///         Some(Outcome::Refused(refusal)) => println!("refused: {}", refusal.reason().code()),
///         _ => println!("not under a key"),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The handler ran for this request.
    #[non_exhaustive]
    Executed {
        /// Whether a retry will get this very response.
        stored: bool,
        /// The fencing token of the run.
        token: FencingToken,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// The handler ran before; this is its stored response.
    #[non_exhaustive]
    Replayed {
        /// The fencing token of the run.
        token: FencingToken,
        /// The number of attempts that it took.
        attempts: u32,
        /// Store time at which it was stored, in whole seconds.
        settled_at: SystemTime,
        /// Store time until which it is replayed, in whole seconds.
        expires_at: SystemTime,
        /// The request id of the first request under this key, if it sent one.
        first_request_id: Option<String>,
    },
    /// The layer refused the request.
    Refused(Refusal),
    /// The hook [`screen`](crate::IdempotencyLayer::screen) answered; nothing was claimed.
    Screened,
    /// The handler ran without protection, because the store could not answer and the layer [fails
    /// open](crate::IdempotencyLayer::fail_open).
    Unprotected,
}
