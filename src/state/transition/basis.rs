//! [`Basis`]: what a grant goes on from.

/// What a grant goes on from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    pub(crate) attempt: u32,
    /// It is the request that ran before, so its checkpoint, fingerprint and metadata are kept.
    pub(crate) same_request: bool,
    /// The key has a history: the time of its first claim and the last error are kept.
    pub(crate) continues: bool,
}

impl Basis {
    /// Of a key that is absent, expired or run anew: a first attempt.
    pub(crate) const FRESH: Self = Self {
        attempt: 1,
        same_request: false,
        continues: false,
    };
}
