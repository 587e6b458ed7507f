//! [`Locator`]: where a record lies.

/// Where a record lies: the number of its frame and its offset in the frame's payload.
///
/// Frame numbers only rise while a store is open, so a locator is also a version. Ordered by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Locator {
    pub(crate) frame: u64,
    pub(crate) offset: u16,
}
