//! [`Chore`]: the work of a store besides the writes of its journal.

/// A piece of work whose failure does no harm to what was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Chore {
    /// Makes the prepared segment the one that takes frames; changes wait meanwhile.
    Begin,
    Prepare,
    Close,
    Marks,
    LowMark,
    Link,
    Carry,
    Archive,
    Expire,
    Remove,
    Look,
    Reserve,
    Measure,
}

impl Chore {
    /// What is being done, in words for operators.
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Self::Begin => "beginning a segment",
            Self::Prepare => "preparing a segment",
            Self::Close => "closing a full segment",
            Self::Marks => "writing the marks",
            Self::LowMark => "raising the low mark",
            Self::Link => "reading a segment's marker",
            Self::Carry => "carrying live records",
            Self::Archive => "writing an audit archive",
            Self::Expire => "expiring audit archives",
            Self::Remove => "removing a dead segment",
            Self::Look => "looking at the free disk space",
            Self::Reserve => "changing the disk reserve",
            Self::Measure => "measuring the disk space in use",
        }
    }

    /// The bit of this chore in a set of chores.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }
}
