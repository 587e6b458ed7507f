//! [`KeyState`]: what a key is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a key.
///
/// # Examples
///
/// ```
/// use hapax::{KeyState, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// mail.insert("user-7")?;
/// let known = mail.get("user-7")?.expect("it was marked");
/// assert_eq!(known.state(), KeyState::Completed);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// A holder runs it, or its lapsed holder has not been replaced yet.
    InProgress,
    /// It ran, and its response is stored.
    Completed,
    /// It failed for good, and its error is stored.
    Failed,
    /// Its effect may or may not have happened.
    InDoubt,
    /// It failed in a way that may be tried again.
    Released,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::Released => "released",
        })
    }
}
