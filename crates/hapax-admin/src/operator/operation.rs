//! [`Operation`]: what an operator can do to a store.

use std::fmt;

/// What an operator can do. The last part of the path of an action is its name.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Settles a key in doubt: it happened, it failed for good, or it never happened.
    Resolve,
    /// Frees a key that somebody holds, so that it can be claimed again.
    Release,
    /// Puts a key that somebody holds in doubt.
    Doubt,
    /// Fails a key that somebody holds, for good.
    Fail,
    /// Removes a key, so that it can run again.
    Forget,
    /// Lets a store that was salvaged with losses grant again.
    AcceptSalvage,
}

impl Operation {
    /// All of them.
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

    /// The operation on a key that has this name.
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
