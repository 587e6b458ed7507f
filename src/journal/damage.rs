//! The errors of frames and records that are not as they were written.

use crate::value::error::{Error, ErrorKind};
use crate::value::locator::Locator;

/// A frame is missing or damaged.
pub(crate) fn lost(frame: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "frame {frame} is missing or damaged: restore a backup, or close the store and save what is left with Store::salvage"
        ),
    )
}

/// A frame is whole, but has no record at this place.
pub(super) fn malformed(locator: Locator) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "frame {} holds no readable record at {}: restore a backup, or close the store and save what is left with Store::salvage",
            locator.frame, locator.offset
        ),
    )
}

/// What is wrong with a store at open, and where.
pub(super) fn damaged(place: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "{place}: {what}; nothing was changed: restore a backup, or save what is left with Store::salvage"
        ),
    )
}
