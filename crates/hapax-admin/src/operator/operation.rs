//! [`Operation`]: what an operator can do to a store.

use std::fmt;

/// What an operator can do. Its name is the last part of the path of the request.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax_admin::{AdminRouter, Operation};
///
/// # let store = Store::in_memory().open()?;
/// let admin = AdminRouter::new(store).operations([Operation::Resolve, Operation::Release]);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Settles a key in doubt: its effect happened, failed for good, or never happened.
    Resolve,
    /// Frees a key in progress, so that it can be claimed again.
    Release,
    /// Moves a key from in progress to in doubt.
    Doubt,
    /// Fails a key in progress for good.
    Fail,
    /// Removes a key, so that it can run again.
    Forget,
    /// Lets a store that was salvaged with losses grant again.
    AcceptSalvage,
}

impl Operation {
    /// Every operation.
    pub const ALL: &'static [Self] = &[
        Self::Resolve,
        Self::Release,
        Self::Doubt,
        Self::Fail,
        Self::Forget,
        Self::AcceptSalvage,
    ];

    /// Its name in paths and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Release => "release",
            Self::Doubt => "doubt",
            Self::Fail => "fail",
            Self::Forget => "forget",
            Self::AcceptSalvage => "accept-salvage",
        }
    }

    /// The operation on keys with this name.
    pub(crate) fn on_a_key(name: &str) -> Option<Self> {
        let mut of_keys = Self::ALL.iter().copied();
        of_keys.find(|operation| *operation != Self::AcceptSalvage && operation.name() == name)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
