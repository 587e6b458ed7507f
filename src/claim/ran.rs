//! [`Ran`]: the result of `run_once`, and [why it has no outcome](RunError).

use std::fmt;

use crate::claim::answer::{Failed, InProgress, Mismatch};
use crate::claim::doubt::Doubt;
use crate::value::error::Error;

/// The result of `run_once`. Exhaustive on purpose: every outcome is handled.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Ran, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// match mail.run_once("user-7", |_| Ok::<_, std::io::Error>("sent".to_owned()))? {
///     Ran::Executed(text) | Ran::Replayed(text) => println!("{text}"),
///     Ran::Superseded(text) => println!("{text}, but another caller had taken over"),
///     Ran::InProgress(busy) => println!("come back in {:?}", busy.lease_left()),
///     Ran::InDoubt(doubt) => println!("it may or may not have run: {doubt:?}"),
///     Ran::Mismatch(other) => println!("another request had this key: {other:?}"),
/// }
/// # Ok::<(), hapax::RunError<std::io::Error>>(())
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "a new outcome has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "the work may not have run"]
pub enum Ran<T> {
    /// The work ran, and its result is stored.
    Executed(T),
    /// It ran before; this is the stored result.
    Replayed(T),
    /// Another caller runs it.
    InProgress(InProgress),
    /// It may or may not have run.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
    /// The work ran, but the key was lost meanwhile: the result is here, and not stored.
    Superseded(T),
}

/// Why `run_once` has no outcome. Its `Debug` is its text, so that `main` can return it.
///
/// # Examples
///
/// ```
/// use hapax::{Failure, Policy, RunError, Store};
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let declined = || pay.run_once("order-42", |_| Err::<(), _>(Failure::Final("card declined")));
/// assert!(matches!(declined(), Err(RunError::Work("card declined"))));
/// match declined() {
///     Err(RunError::Failed(answer)) => assert_eq!(answer.error(), b"card declined"),
///     Err(RunError::Work(_)) => panic!("it failed for good, and does not run again"),
///     Err(RunError::Store(error)) => return Err(error),
///     Ok(ran) => panic!("{ran:?}"),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[expect(clippy::exhaustive_enums, reason = "it is one of these")]
pub enum RunError<E> {
    /// The store could not answer, or could not store the outcome.
    Store(Error),
    /// The work failed; the store knows how.
    Work(E),
    /// The work failed for good before, and did not run again: this is the stored error.
    Failed(Failed),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => fmt::Display::fmt(error, f),
            Self::Work(error) => fmt::Display::fmt(error, f),
            Self::Failed(answer) => fmt::Display::fmt(answer, f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => fmt::Debug::fmt(error, f),
            Self::Work(error) => fmt::Debug::fmt(error, f),
            Self::Failed(answer) => fmt::Display::fmt(answer, f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for RunError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Work(_) | Self::Failed(_) => None,
        }
    }
}

impl<E> From<Error> for RunError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
