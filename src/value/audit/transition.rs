//! [`Transition`]: the kinds of change that audit entries record.

use std::fmt;
use std::str::FromStr;

use crate::value::error::{Error, Result};

macro_rules! transitions {
    ($($(#[$doc:meta])* $name:ident = $byte:literal $text:literal,)*) => {
        /// The transition that an [`AuditEntry`](crate::audit::AuditEntry) records.
        ///
        /// # Examples
        ///
        /// ```
        /// use hapax::audit::{AuditFilter, AuditLevel, Transition};
        /// use hapax::{Policy, Store};
        ///
        /// let store = Store::in_memory().open()?;
        /// let mail = store.namespace("mail", Policy::at_least_once().audit(AuditLevel::Digests))?;
        /// mail.insert("user-7")?;
        /// let filter = AuditFilter::new().transition(Transition::Inserted);
        /// assert_eq!(store.audit(filter)?.count(), 1);
        /// # Ok::<(), hapax::Error>(())
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Transition {
            $($(#[$doc])* $name,)*
        }

        impl Transition {
            /// Every transition that there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(crate) fn byte(self) -> u8 {
                match self { $(Self::$name => $byte,)* }
            }

            pub(crate) fn of_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$name),)* _ => None }
            }

            /// Its name in one word.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

transitions! {
    /// The key was granted, for the first time or after its outcome had expired.
    Claimed = 1 "claimed",
    /// The key was granted once more: a second attempt, or later.
    Reclaimed = 2 "reclaimed",
    /// It completed.
    Completed = 3 "completed",
    /// It failed for good.
    Failed = 4 "failed",
    /// It was given up, to be tried again.
    Released = 5 "released",
    /// Its effect may or may not have happened.
    Doubted = 6 "doubted",
    /// Its holder stored a checkpoint.
    Checkpointed = 7 "checkpointed",
    /// Its claim was made durable for a ticket.
    Detached = 8 "detached",
    /// A ticket was turned into a lease again.
    Attached = 9 "attached",
    /// The lease ended without an outcome.
    Lapsed = 10 "lapsed",
    /// The process that held it died, or closed the store.
    Orphaned = 11 "orphaned",
    /// A grant was taken back before it was delivered: nothing ran.
    Withdrawn = 12 "withdrawn",
    /// It was marked as done, without a claim.
    Inserted = 13 "inserted",
    /// A doubt was resolved: the effect happened.
    ResolvedHappened = 14 "resolved_happened",
    /// A doubt was resolved: it failed.
    ResolvedFailed = 15 "resolved_failed",
    /// A doubt was resolved: the effect never happened.
    ResolvedNeverHappened = 16 "resolved_never_happened",
    /// It was forgotten.
    Forgotten = 17 "forgotten",
    /// The losses of a salvage were accepted.
    SalvageAccepted = 18 "salvage_accepted",
    /// The store was salvaged, and its audit log begins anew.
    Salvaged = 19 "salvaged",
    /// The policy of a namespace was changed, as the reason says. The entry has no key.
    PolicyChanged = 20 "policy_changed",
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Transition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|transition| transition.name() == text)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "there is no transition {text:?}: Transition::ALL has them all"
                ))
            })
    }
}
