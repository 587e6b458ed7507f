//! [`Claim`]: the one answer to a claim.

use std::time::Duration;

use crate::claim::answer::{Completed, Failed, InProgress, Mismatch};
use crate::claim::doubt::Doubt;
use crate::claim::held::Held;
use crate::claim::lease::Lease;
use crate::engine::call::answer::Answer;
use crate::engine::call::batch::ItemAnswer;
use crate::store::handle::Homes;
use crate::value::digest::Digest;
use crate::value::error::Error;
use crate::value::key_state::KeyState;

/// What a claim is answered. Exhaustive on purpose: every outcome is handled.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum Claim {
    /// Run it. The key is yours until the lease is settled or lapses.
    Granted(Lease),
    /// Someone runs it: come back later.
    InProgress(InProgress),
    /// It ran: here is the stored response.
    Completed(Completed),
    /// It failed for good: here is the stored error.
    Failed(Failed),
    /// It may or may not have run; it will not be started again before that is resolved.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
}

impl Claim {
    pub(crate) fn of(homes: &Homes, digest: Digest, answer: Answer) -> Self {
        match answer {
            Answer::Granted(granted) => {
                Self::Granted(Lease::new(Held::new(homes, digest, granted)))
            }
            Answer::InProgress {
                lease_left_ms,
                attempt,
                metadata,
                compared,
            } => {
                let lease_left = Duration::from_millis(lease_left_ms);
                Self::InProgress(InProgress {
                    lease_left,
                    attempt,
                    metadata,
                    compared,
                })
            }
            Answer::Settled {
                state: KeyState::Failed,
                record,
                compared,
            } => Self::Failed(Failed { record, compared }),
            Answer::Settled {
                record, compared, ..
            } => Self::Completed(Completed { record, compared }),
            Answer::InDoubt {
                record,
                holder_alive,
                compared,
            } => Self::InDoubt(Doubt::of(homes, record, holder_alive, compared)),
            Answer::Mismatch { labels, state } => Self::Mismatch(Mismatch { labels, state }),
        }
    }
}

/// An answer within a batch.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum BatchClaim {
    /// As for a claim of its own.
    Claim(Claim),
    /// The key stands earlier in the batch.
    RepeatOf {
        /// Where it stands.
        index: usize,
        /// Whether the fingerprint there is another one.
        mismatch: bool,
    },
    /// The store cannot answer this item: it has no room for it, or was closed or poisoned before the
    /// batch had its end.
    Refused(Error),
}

impl BatchClaim {
    pub(crate) fn of(homes: &Homes, digest: Digest, answer: ItemAnswer) -> Self {
        match answer {
            ItemAnswer::Answer(answer) => Self::Claim(Claim::of(homes, digest, answer)),
            ItemAnswer::RepeatOf { index, mismatch } => Self::RepeatOf { index, mismatch },
            ItemAnswer::Refused(error) => Self::Refused(error),
        }
    }
}
