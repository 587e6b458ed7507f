//! [`By`]: who brings a transition about.

use crate::value::attribution::{Attribution, ENGINE};
use crate::value::audit::{AuditLevel, Origin};
use crate::value::policy::Policy;

/// Who brings a transition about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// The claimer of the key, under the name that the claim gave, if any.
    Caller(&'a [u8]),
    Engine,
    Operator(&'a Attribution),
}

impl<'a> By<'a> {
    /// An operator, or a caller who gave no name.
    pub(crate) fn or_caller(by: Option<&'a Attribution>) -> Self {
        by.map_or(By::Caller(&[]), By::Operator)
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
        policy.audit != AuditLevel::Off || matches!(self, By::Operator(_))
    }
}
