//! [`Durability`]: when a change counts as acknowledged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::error::{Error, Result};

/// When a change counts as acknowledged.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Durability, Policy, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let window = Durability::Interval(Duration::from_millis(50));
/// let store = Store::builder(path).durability(window).open()?;
/// let orders = store.namespace("orders", Policy::at_least_once().durability(Durability::Sync))?;
/// orders.insert("order-7")?; // on the medium, although the store has a window
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Durability {
    /// When it is on the medium. Callers that wait at the same time share one sync.
    Sync,
    /// At once. It is on the medium within this time: when the oldest unsynced change is older, further
    /// changes wait.
    Interval(Duration),
}

/// The longest window of [`Durability::Interval`].
const WINDOW_MAX: Duration = Duration::from_secs(60);

pub(crate) fn check_durability(durability: Durability) -> Result<()> {
    match durability {
        Durability::Interval(window)
            if window < Duration::from_millis(1) || window > WINDOW_MAX =>
        {
            Err(Error::invalid(
                "the window of Durability::Interval must be 1 ms to 60 s",
            ))
        }
        _ => Ok(()),
    }
}
