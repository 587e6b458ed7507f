//! [`Guarantee`]: what a namespace promises when a holder dies.

use serde::{Deserialize, Serialize};

/// What a namespace promises when a holder dies.
///
/// # Examples
///
/// ```
/// use hapax::{Guarantee, Policy};
///
/// assert_eq!(Policy::at_least_once().guarantee(), Guarantee::AtLeastOnce);
/// assert_eq!(Policy::at_most_once().guarantee(), Guarantee::AtMostOnce);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Guarantee {
    /// An effect may run again if its holder died: the key becomes claimable.
    AtLeastOnce,
    /// An effect is never started twice on its own: the key stays in doubt until it is resolved.
    AtMostOnce,
}
