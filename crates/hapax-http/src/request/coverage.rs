//! [`Coverage`]: which requests the layer covers, and which keys it accepts.

use hapax::key::KeyRule;
use http::request::Parts;
use http::{HeaderName, Method};

use crate::answer::ending::Ending;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::request::header::{CLIENT_KEY_BYTES_MAX, ClientKey, KeySyntax, key_of};

/// Whether a covered request needs a key.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax_http::{IdempotencyLayer, KeyUse};
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let layer = IdempotencyLayer::new(payments).one_tenant().key(KeyUse::Optional);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum KeyUse {
    /// A request without a key is refused.
    #[default]
    Required,
    /// A request without a key is passed on as it is.
    Optional,
    /// The header is not read, and every request is passed on as it is.
    Ignored,
}

/// Which requests are covered, and how they send their keys.
#[derive(Clone)]
pub(crate) struct Coverage {
    pub(crate) methods: Vec<Method>,
    pub(crate) key_use: KeyUse,
    pub(crate) key_header: HeaderName,
    pub(crate) syntax: KeySyntax,
    pub(crate) rule: KeyRule,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            methods: vec![Method::POST, Method::PATCH],
            key_use: KeyUse::default(),
            key_header: HeaderName::from_static("idempotency-key"),
            syntax: KeySyntax::default(),
            rule: KeyRule::any().at_most(CLIENT_KEY_BYTES_MAX),
        }
    }
}

/// What the layer does with a request, by its head.
pub(crate) enum Entry {
    /// Passes it on as it is, and counts it so.
    Pass(Ending),
    Guard(ClientKey),
    Refuse(Refusal),
}

impl Coverage {
    /// Decides by the head alone.
    pub(crate) fn enter(&self, parts: &Parts) -> Entry {
        if self.key_use == KeyUse::Ignored || !self.methods.contains(&parts.method) {
            return Entry::Pass(Ending::Uncovered);
        }
        match key_of(&parts.headers, &self.key_header, self.syntax) {
            Ok(Some(key)) => match self.rule.check(&key) {
                Ok(()) => Entry::Guard(key),
                Err(refused) => {
                    Entry::Refuse(Refusal::new(Reason::RefusedKey, refused.to_string()))
                }
            },
            Ok(None) if self.key_use == KeyUse::Optional => Entry::Pass(Ending::Unkeyed),
            Ok(None) => {
                let detail = format!("send {}: \"<a UUID of your own>\"", self.key_header);
                Entry::Refuse(Refusal::new(Reason::MissingKey, detail))
            }
            Err(malformed) => {
                Entry::Refuse(Refusal::new(Reason::MalformedKey, malformed.to_string()))
            }
        }
    }
}
