//! [`Removal`]: a removal that names a record by its place.

use crate::value::locator::Locator;
use crate::value::record::Head;

/// A removal that names the record that it removes by its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal {
    pub(crate) removed: Locator,
    /// What the key is from then on: forgotten.
    pub(crate) head: Head,
    /// Where the removal lies.
    pub(crate) at: Locator,
}
