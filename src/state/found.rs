//! [`Found`]: what a key is, as far as its slot tells.

use crate::state::slab::SlabRef;
use crate::state::slot::{Settled, Slot};
use crate::value::locator::Locator;

/// What a key is, as far as its slot tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    Running(SlabRef),
    Settled(Slot, Settled, Locator),
    /// Removed; the removal lies here.
    Forgotten(Locator),
}
