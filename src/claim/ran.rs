//! [`Ran`]: what `run_once` came to, and how work [fails](Failure).

use std::fmt;

use crate::claim::answer::{Completed, Failed, InProgress, Mismatch};
use crate::claim::claim::Claim;
use crate::claim::doubt::Doubt;
use crate::claim::lease::Lease;
use crate::value::error::{Error, Result};

/// What `run_once` came to. Exhaustive on purpose: every outcome is handled.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new outcome has to break the code that does not handle it"
)]
#[derive(Debug)]
pub enum Ran<T> {
    /// The work ran, and its result is stored.
    Executed(T),
    /// It ran before; this is the stored result.
    Replayed(T),
    /// Someone runs it.
    InProgress(InProgress),
    /// It failed for good before.
    Failed(Failed),
    /// Nobody knows whether it ran.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
    /// The work ran, but the key was lost meanwhile: the result is here, and not stored.
    Superseded(T),
}

impl<T> Ran<T> {
    /// What a claim says of earlier runs; the lease where this one may run.
    pub(crate) fn before(
        claim: Claim,
        decode: fn(&Completed) -> Result<T>,
    ) -> Result<Result<Lease, Self>> {
        Ok(Err(match claim {
            Claim::Granted(lease) => return Ok(Ok(lease)),
            Claim::InProgress(busy) => Self::InProgress(busy),
            Claim::Completed(answer) => Self::Replayed(decode(&answer)?),
            Claim::Failed(answer) => Self::Failed(answer),
            Claim::InDoubt(doubt) => Self::InDoubt(doubt),
            Claim::Mismatch(other) => Self::Mismatch(other),
        }))
    }
}

/// How work failed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// For good: later calls are answered with this error.
    Final(E),
    /// It may be tried again.
    Retry(E),
    /// Nobody knows whether its effect happened.
    Unknown(E),
    /// The guarantee decides: tried again under at-least-once, unknown under at-most-once. This is
    /// what `?` makes of an error.
    ByGuarantee(E),
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::ByGuarantee(error)
    }
}

/// Why `run_once` has no outcome.
#[expect(clippy::exhaustive_enums, reason = "it is one or the other")]
#[derive(Debug)]
pub enum RunError<E> {
    /// The store could not answer, or could not store the outcome.
    Store(Error),
    /// The work failed; the store knows how.
    Work(E),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => fmt::Display::fmt(error, f),
            Self::Work(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for RunError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Work(_) => None,
        }
    }
}

impl<E> From<Error> for RunError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
