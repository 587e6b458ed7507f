//! [`Answer`]: what a claim is answered.

use std::sync::Arc;

use crate::engine::call::granted::Granted;
use crate::engine::call::waiter::Waiter;
use crate::engine::look::Look;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::value::blob::Blob;
use crate::value::key_state::KeyState;
use crate::value::record::Record;
use crate::wheel::TimerKey;

/// What a claim is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Granted(Granted),
    InProgress {
        lease_left_ms: u64,
        attempt: u32,
        metadata: Blob,
        compared: bool,
    },
    Settled {
        state: KeyState,
        record: Arc<Record>,
        compared: bool,
    },
    InDoubt {
        record: Arc<Record>,
        holder_alive: bool,
        compared: bool,
    },
    Mismatch {
        labels: Vec<String>,
        state: KeyState,
    },
}

impl Answer {
    #[inline]
    pub(crate) fn outcome(&self) -> ClaimOutcome {
        match self {
            Self::Granted(_) => ClaimOutcome::Granted,
            Self::InProgress { .. } => ClaimOutcome::InProgress,
            Self::Settled { state, .. } => ClaimOutcome::of_settled(*state),
            Self::InDoubt { .. } => ClaimOutcome::InDoubt,
            Self::Mismatch { .. } => ClaimOutcome::Mismatch,
        }
    }
}

/// The result of one look: the answer, and the frame that it rests on.
pub(crate) type Tried = Look<(Answer, Option<u64>)>;

/// One look at a key by a caller that may wait for it.
#[derive(Debug)]
pub(in crate::engine) enum Looked {
    Tried(Tried),
    /// Nothing has been done: a change waits until this frame is on the medium.
    Congested(u64),
    /// In line.
    Wait(Arc<Waiter>, TimerKey),
}
