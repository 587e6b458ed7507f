//! [`RemoteAnswer`]: what a claim is answered.

use crate::engine::call::answer::Answer;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::remote::grant::Grant;

/// What a claim is answered.
#[derive(Debug)]
pub(crate) enum RemoteAnswer {
    Granted(Grant),
    /// Any answer but a grant.
    Other(Answer),
}

impl RemoteAnswer {
    pub(crate) fn outcome(&self) -> ClaimOutcome {
        match self {
            Self::Granted(_) => ClaimOutcome::Granted,
            Self::Other(answer) => answer.outcome(),
        }
    }
}
