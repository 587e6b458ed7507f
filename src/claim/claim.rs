//! [`Claim`]: the one answer to a claim.

use std::sync::Arc;
use std::time::Duration;

use crate::claim::answer::{Completed, Failed, InProgress, Mismatch};
use crate::claim::doubt::Doubt;
use crate::claim::held::Held;
use crate::claim::lease::Lease;
use crate::claim::local_held::LocalHeld;
use crate::claim::remote_held::RemoteHeld;
use crate::engine::call::answer::Answer;
use crate::engine::call::batch::ItemAnswer;
use crate::remote::hold::Hold;
use crate::remote::home::RemoteHome;
use crate::store::handle::Homes;
use crate::value::digest::Digest;
use crate::value::error::Error;
use crate::value::key_state::KeyState;
use crate::value::record::Record;

/// The answer to a claim. Exhaustive on purpose: every outcome is handled.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// match jobs.claim("report")? {
///     Claim::Granted(lease) => lease.complete("written")?, // the work goes here
///     Claim::InProgress(busy) => println!("come back within {:?}", busy.lease_left()),
///     Claim::Completed(answer) => println!("done before: {:?}", answer.response()),
///     Claim::Failed(answer) => println!("failed for good: {answer}"),
///     Claim::InDoubt(doubt) => println!("it may or may not have run: {doubt:?}"),
///     Claim::Mismatch(other) => println!("another request has this key: {:?}", other.labels()),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum Claim {
    /// Run it. The key is yours until the lease is settled or lapses.
    Granted(Lease),
    /// Another caller runs it: come back later.
    InProgress(InProgress),
    /// It ran: here is the stored response.
    Completed(Completed),
    /// It failed for good: here is the stored error.
    Failed(Failed),
    /// It may or may not have run. It does not start again before this is resolved.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
}

impl Claim {
    #[inline]
    pub(crate) fn of(homes: &Homes, digest: Digest, answer: Answer) -> Self {
        match answer {
            Answer::Granted(granted) => {
                let held = LocalHeld::new(homes, digest, granted);
                Self::Granted(Lease::new(Held::Local(held)))
            }
            answer => Self::told(answer, |record, holder_alive, compared| {
                Doubt::of(homes, record, holder_alive, compared)
            }),
        }
    }

    /// A grant of a store over a backend.
    pub(crate) fn granted(home: &RemoteHome, hold: Arc<Hold>) -> Self {
        Self::Granted(Lease::new(Held::Remote(RemoteHeld::new(&home.inner, hold))))
    }

    /// Any other answer of a store over a backend.
    pub(crate) fn told_by(home: &RemoteHome, answer: Answer) -> Self {
        Self::told(answer, |record, holder_alive, compared| {
            Doubt::of_remote(home, record, holder_alive, compared)
        })
    }

    /// Any answer but a grant.
    fn told(answer: Answer, doubt: impl FnOnce(Arc<Record>, bool, bool) -> Doubt) -> Self {
        match answer {
            Answer::Granted(_) => unreachable!("the caller has dressed a grant as a lease"),
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
            } => Self::InDoubt(doubt(record, holder_alive, compared)),
            Answer::Mismatch { labels, state } => Self::Mismatch(Mismatch { labels, state }),
        }
    }
}

/// An answer within a batch.
///
/// # Examples
///
/// ```
/// use hapax::{BatchClaim, Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let mut done = Vec::new();
/// for answer in jobs.claim_many(["a", "b", "a"])? {
///     match answer {
///         BatchClaim::Claim(Claim::Granted(lease)) => done.push((lease, "written")),
///         BatchClaim::Claim(other) => println!("nothing to run: {other:?}"),
///         BatchClaim::RepeatOf { index, .. } => println!("the same key as item {index}"),
///         BatchClaim::Refused(error) => println!("send it again: {error}"),
///     }
/// }
/// assert_eq!(done.len(), 2);
/// assert!(jobs.complete_many(done).iter().all(Result::is_ok));
/// # Ok::<(), hapax::Error>(())
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum BatchClaim {
    /// The answer that a single claim of this key would get.
    Claim(Claim),
    /// The key is in the batch already, at a lower index.
    RepeatOf {
        /// That index.
        index: usize,
        /// Whether the fingerprint there differs.
        mismatch: bool,
    },
    /// The store cannot answer this item: it is at a limit, or was closed or poisoned before the batch ended.
    Refused(Error),
}

impl BatchClaim {
    #[inline]
    pub(crate) fn of(homes: &Homes, digest: Digest, answer: ItemAnswer) -> Self {
        match answer {
            ItemAnswer::Answer(answer) => Self::Claim(Claim::of(homes, digest, answer)),
            ItemAnswer::RepeatOf { index, mismatch } => Self::RepeatOf { index, mismatch },
            ItemAnswer::Refused(error) => Self::Refused(error),
        }
    }
}
