//! [`Ended`]: how the life of a process has ended.

/// How the life before has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// There was none: the medium was empty.
    Never,
    /// The store was closed, and said that everything is durable.
    Closed,
    /// The process was killed, or its store went without a good word.
    Killed,
    /// The power was cut.
    PowerCut,
}
