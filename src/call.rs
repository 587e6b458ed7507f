//! [`Unanswered`]: claims that are under way, so that each is counted once, however it ends.

use crate::error::Result;
use crate::namespace::Namespace;
use crate::stats::ClaimOutcome;

/// Claims of a future that have not been answered. Dropped, they count as given up.
pub(crate) struct Unanswered {
    space: Namespace,
    claims: usize,
}

impl Unanswered {
    pub(crate) fn new(space: &Namespace, claims: usize) -> Self {
        Self {
            space: space.clone(),
            claims,
        }
    }

    pub(crate) fn space(&self) -> &Namespace {
        &self.space
    }

    /// They have been answered, which the engine has counted, or have ended in this error.
    pub(crate) fn end<T>(&mut self, answered: Result<T>) -> Result<T> {
        let claims = std::mem::take(&mut self.claims);
        self.space.count_failed(claims, answered)
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let engine = &self.space.store().engine;
        engine.count_unanswered(self.space.core(), self.claims, ClaimOutcome::Abandoned);
    }
}

impl Namespace {
    /// Counts claims that have ended in an error; the others the engine has counted.
    pub(crate) fn count_failed<T>(&self, claims: usize, answered: Result<T>) -> Result<T> {
        if let Err(error) = &answered {
            let engine = &self.store().engine;
            engine.count_errors(self.core(), claims, error.kind());
        }
        answered
    }
}
