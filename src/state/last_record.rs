//! [`LastRecord`]: where the newest record of a key lies.

use crate::state::slot::{Place, Settled, Slot};
use crate::value::locator::Locator;

/// The newest record of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastRecord {
    pub(crate) locator: Locator,
    pub(crate) expires_at: u32,
}

impl LastRecord {
    /// That of a settled key; none for one that was forgotten.
    pub(super) fn of(slot: Slot) -> Option<Self> {
        match slot.place() {
            Place::Running(_) | Place::Settled(Settled::Forgotten, _) => None,
            Place::Settled(_, locator) => Some(Self {
                locator,
                expires_at: slot.expires_at(),
            }),
        }
    }
}
