//! [`Initiator`]: the party that causes a transition.

use crate::value::attribution::{Attribution, ENGINE};
use crate::value::audit::{AuditLevel, Origin};
use crate::value::policy::Policy;

/// The party that causes a transition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Initiator<'a> {
    /// The claimer of the key, under the name that the claim gave, if any.
    Caller(&'a [u8]),
    Engine,
    Operator(&'a Attribution),
}

impl<'a> Initiator<'a> {
    /// An operator, or a caller who gave no name.
    pub(crate) fn or_caller(by: Option<&'a Attribution>) -> Self {
        by.map_or(Initiator::Caller(&[]), Initiator::Operator)
    }

    /// The origin, the actor and the reason in an audit entry.
    pub(in crate::engine) fn who(self) -> (Origin, &'a str, &'a str) {
        match self {
            Self::Caller(name) => {
                let name = std::str::from_utf8(name).unwrap_or_default();
                (Origin::Caller, name, "")
            }
            Self::Engine => (Origin::Engine, ENGINE, ""),
            Self::Operator(action) => (Origin::Operator, action.actor(), action.reason()),
        }
    }

    pub(in crate::engine) fn writes(self, policy: &Policy) -> bool {
        policy.audit != AuditLevel::Off || matches!(self, Initiator::Operator(_))
    }
}
