//! [`Decision`]: the result of an operation, or of a lease.

use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;

/// Bytes of the first request's metadata that are shown; the rest is cut off.
pub(crate) const FIRST_REQUEST_BYTES_MAX: usize = 128;

/// The result of an operation.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "only traces show it")
)]
pub(crate) struct Decision<'a> {
    pub(crate) outcome: &'static str,
    pub(crate) token: Option<FencingToken>,
    pub(crate) attempt: Option<u32>,
    /// The metadata of the first request, where a later one is answered.
    pub(crate) first_request: &'a [u8],
    /// The operator who decided.
    pub(crate) actor: Option<&'a str>,
    /// A person has to look: shown as a warning.
    pub(crate) warns: bool,
}

impl Decision<'_> {
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "only traces show it")
    )]
    pub(crate) fn actor(&self) -> Option<String> {
        self.actor.map(|actor| actor.escape_debug().to_string())
    }

    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "only traces show it")
    )]
    pub(crate) fn first_request(&self) -> Option<String> {
        let shown = self.first_request;
        let shown = shown.get(..FIRST_REQUEST_BYTES_MAX).unwrap_or(shown);
        (!shown.is_empty()).then(|| shown.escape_ascii().to_string())
    }
}

/// A lease that has lapsed; traces show it once the lock of its shard has been released.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "only traces show it")
)]
pub(crate) struct Lapse {
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    /// What the key is now.
    pub(crate) state: KeyState,
}
