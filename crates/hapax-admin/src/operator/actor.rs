//! [`Actor`] and [`Refusal`]: what the service says when it is asked who acts.

use std::borrow::Cow;

/// Who acts, as the service that mounts the router has found out. It stands in the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    name: String,
}

impl Actor {
    /// An operator by name: what the service knows a person or a machine by, 1 to 256 bytes
    /// without control characters. Another name is refused when it acts.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why somebody may not act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) detail: Cow<'static, str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RefusalKind {
    /// With the value of `WWW-Authenticate`.
    Unauthenticated(String),
    Forbidden,
}

impl Refusal {
    /// Nobody knows who asks: 401. The challenge is the value of `WWW-Authenticate`, such as
    /// `Bearer`.
    #[must_use]
    pub fn unauthenticated(challenge: impl Into<String>) -> Self {
        Self {
            kind: RefusalKind::Unauthenticated(challenge.into()),
            detail: Cow::Borrowed("say who you are: this service acts for operators it knows"),
        }
    }

    /// Whoever asks may not act: 403. The detail is sent as it is.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: RefusalKind::Forbidden,
            detail: detail.into(),
        }
    }
}
