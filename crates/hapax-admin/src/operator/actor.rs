//! [`Actor`] and [`Refusal`]: the service's answer to the question who acts.

use std::borrow::Cow;

/// Who acts, according to the service that mounts the router. The audit log records the name.
///
/// # Examples
///
/// ```
/// use hapax_admin::Actor;
///
/// assert_eq!(Actor::new("ada").name(), "ada");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    name: String,
}

impl Actor {
    /// A person or a machine, by the name that the service knows: 1 to 256 bytes without control
    /// characters. Any other name is refused when it acts.
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

/// Why a request may not act.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax_admin::{Actor, AdminRouter, Refusal};
///
/// # let store = Store::in_memory().open()?;
/// let admin = AdminRouter::new(store).allow_actions(|request| {
///     match request.extensions.get::<String>().map(String::as_str) {
///         None => Err(Refusal::unauthenticated("Bearer")),
///         Some("guest") => Err(Refusal::forbidden("guests may only read")),
///         Some(name) => Ok(Actor::new(name)),
///     }
/// });
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) detail: Cow<'static, str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RefusalKind {
    /// Holds the value of `WWW-Authenticate`.
    Unauthenticated(String),
    Forbidden,
}

impl Refusal {
    /// The request names no known actor: 401. The challenge is the value of `WWW-Authenticate`, such as
    /// `Bearer`.
    #[must_use]
    pub fn unauthenticated(challenge: impl Into<String>) -> Self {
        Self {
            kind: RefusalKind::Unauthenticated(challenge.into()),
            detail: Cow::Borrowed(
                "authenticate first: only operators known to the service may act",
            ),
        }
    }

    /// The actor is known and may not do this: 403. The detail is sent as it is.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: RefusalKind::Forbidden,
            detail: detail.into(),
        }
    }
}
