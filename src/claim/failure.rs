//! [`Failure`]: how work fails, and the errors that [become](IntoFailure) one.

use std::fmt;

/// How work failed.
///
/// Within work, `?` turns any error that converts into `E` into [`ByGuarantee`](Self::ByGuarantee).
///
/// # Examples
///
/// ```
/// use hapax::{Failure, Policy, RunError, Store};
///
/// type AnyError = Box<dyn std::error::Error + Send + Sync>;
///
/// fn charge(cents: &str) -> Result<String, Failure<AnyError>> {
///     let cents: u64 = cents.parse()?;
///     if cents == 0 {
///         return Err(Failure::Final("nothing to charge".into()));
///     }
///     Ok(format!("charged {cents}"))
/// }
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let refused = pay.run_once("order-7", |_| charge("0"));
/// assert!(matches!(refused, Err(RunError::Work(_))), "it failed for good");
/// let refused = pay.run_once("order-7", |_| charge("1299"));
/// assert!(matches!(refused, Err(RunError::Failed(_))), "so it does not run again");
/// let refused = pay.run_once("order-8", |_| charge("many"));
/// assert!(matches!(refused, Err(RunError::Work(_))), "it may be tried again");
/// assert!(pay.run_once("order-8", |_| charge("1299")).is_ok());
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// It failed for good: later calls get this error.
    Final(E),
    /// It may be tried again.
    Retry(E),
    /// Its effect may or may not have happened.
    Unknown(E),
    /// The guarantee decides: tried again under at-least-once, unknown under at-most-once. A plain error
    /// means this, and `?` makes it of an error.
    ByGuarantee(E),
}

impl<E: From<X>, X: fmt::Display> From<X> for Failure<E> {
    fn from(error: X) -> Self {
        Self::ByGuarantee(error.into())
    }
}

/// An error in which the work of [`run_once`](crate::Namespace::run_once) may end: a [`Failure`], or any
/// other error that can be displayed, for which the guarantee decides.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Ran, Store};
///
/// let store = Store::in_memory().open()?;
/// let files = store.namespace("files", Policy::at_least_once())?;
/// let read = files.run_once("motd", |_| std::fs::read_to_string("there/is/none"));
/// assert!(read.is_err(), "it may be tried again");
/// let read = files.run_once("motd", |_| Ok::<_, std::io::Error>("hello".to_owned()));
/// assert!(matches!(read, Ok(Ran::Executed(text)) if text == "hello"));
/// # Ok::<(), hapax::Error>(())
/// ```
pub trait IntoFailure {
    /// The error itself, without how the work failed.
    type Error: fmt::Display;

    /// How the work failed.
    fn into_failure(self) -> Failure<Self::Error>;
}

impl<E: fmt::Display> IntoFailure for Failure<E> {
    type Error = E;

    fn into_failure(self) -> Self {
        self
    }
}

impl<E: fmt::Display> IntoFailure for E {
    type Error = E;

    fn into_failure(self) -> Failure<E> {
        Failure::ByGuarantee(self)
    }
}
