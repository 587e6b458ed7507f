//! [`Origin`]: the side that caused a transition.

/// The side that caused a transition.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A caller of the store: the claimer or holder of the key, or another.
    Caller,
    /// The store itself.
    Engine,
    /// An operator, under a name and a reason.
    Operator,
}

impl Origin {
    /// Its name in exports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Engine => "engine",
            Self::Operator => "operator",
        }
    }
}
