//! [`Ended`]: how the life of a process has ended.

/// How the previous life ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// Nothing was opened before: the medium was empty.
    Never,
    /// The store was closed, and said that everything is durable.
    Closed,
    /// The process was killed, or its store ended without a clean close.
    Killed,
    /// The power was cut.
    PowerCut,
}
