//! [`Found`]: what the slot of a key tells of it.

use crate::state::slab::SlabRef;
use crate::state::slot::{Settled, Slot};
use crate::value::locator::Locator;

/// What the slot of a key tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    Running(SlabRef),
    Settled(Slot, Settled, Locator),
    /// Removed; the removal lies here.
    Forgotten(Locator),
}
