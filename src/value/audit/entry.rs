//! [`AuditEntry`]: one transition, as it was written down.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::value::audit::json_object::JsonObject;
use crate::value::audit::origin::Origin;
use crate::value::audit::transition::Transition;
use crate::value::fencing_token::FencingToken;
use crate::value::hex::hex;
use crate::value::key_digest::KeyDigest;
use crate::value::time::system_time;

/// An entry of the audit log: one transition of a key, written in the same frame.
///
/// # Examples
///
/// ```
/// use hapax::audit::{AuditFilter, AuditLevel, Transition};
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let seen = store.namespace("seen", Policy::at_least_once().audit(AuditLevel::Digests))?;
/// seen.insert("event-7")?;
/// let filter = AuditFilter::new().namespace("seen").transition(Transition::Inserted);
/// let entry = store.audit(filter)?.next().expect("it was inserted")?;
/// assert_eq!(entry.key_digest(), Some(seen.key_digest("event-7")));
/// println!("{entry}");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    pub(crate) number: u64,
    pub(crate) at: u32,
    pub(crate) expires_at: u32,
    /// `None` where the entry is about the whole store.
    pub(crate) namespace: Option<Arc<str>>,
    /// `None` where it is about no key.
    pub(crate) key_digest: Option<KeyDigest>,
    pub(crate) key: Option<Box<[u8]>>,
    pub(crate) transition: Transition,
    pub(crate) origin: Origin,
    pub(crate) actor: String,
    pub(crate) reason: String,
    pub(crate) token: Option<FencingToken>,
    pub(crate) attempt: u32,
    pub(crate) fingerprint: Option<u128>,
    pub(crate) outcome: Option<u128>,
}

impl AuditEntry {
    /// Its number: from 1, without gaps.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Store time of the transition, in whole seconds.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        system_time(self.at)
    }

    /// Store time until which the entry is kept, at the least, in whole seconds.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.expires_at)
    }

    /// The name of the namespace; `None` for an entry about the whole store.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The digest of the key; `None` for an entry about a whole namespace or the whole store.
    #[must_use]
    pub fn key_digest(&self) -> Option<KeyDigest> {
        self.key_digest
    }

    /// The key, where the policy was [`AuditLevel::Keys`](crate::audit::AuditLevel::Keys).
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The transition.
    #[must_use]
    pub fn transition(&self) -> Transition {
        self.transition
    }

    /// The side that caused it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The name of the actor: that of the claim or of the action, `hapax` for the store
    /// itself, or empty if none was given.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The reason of an operator, or the change of a policy; otherwise empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The token of the transition.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.token
    }

    /// The number of runs of the key, this one included; 0 if it is not known.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The digest of the fingerprint of the request, as 32 hexadecimal digits in exports.
    #[must_use]
    pub fn fingerprint_digest(&self) -> Option<u128> {
        self.fingerprint
    }

    /// The digest of the response or the error, as [`Store::outcome_digest`](crate::Store::outcome_digest)
    /// makes it; for a change of a policy, that of the new policy.
    #[must_use]
    pub fn outcome_digest(&self) -> Option<u128> {
        self.outcome
    }

    /// The entry as one JSON object, on one line.
    ///
    /// Numbers that may be over 2^53, and digests, are strings. A key is `key` where it is UTF-8,
    /// else `key_hex`. What is not known is left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = JsonObject::new();
        json.number("number", self.number);
        json.number("at", u64::from(self.at));
        json.text("transition", self.transition.name());
        json.text("origin", self.origin.name());
        json.optional("namespace", self.namespace.as_deref());
        if let Some(digest) = self.key_digest {
            json.text("key_digest", &digest.to_string());
        }
        match self
            .key
            .as_deref()
            .map(|key| (key, std::str::from_utf8(key)))
        {
            Some((_, Ok(key))) => json.text("key", key),
            Some((key, Err(_))) => json.text("key_hex", &hex(key)),
            None => {}
        }
        json.optional(
            "actor",
            Some(&*self.actor).filter(|actor| !actor.is_empty()),
        );
        json.optional("reason", Some(&*self.reason).filter(|why| !why.is_empty()));
        if let Some(token) = self.token {
            json.text("token", &token.to_string());
            json.number("attempt", u64::from(self.attempt));
        }
        if let Some(digest) = self.fingerprint {
            json.text("fingerprint_digest", &format!("{digest:032x}"));
        }
        if let Some(digest) = self.outcome {
            json.text("outcome_digest", &format!("{digest:032x}"));
        }
        json.number("expires_at", u64::from(self.expires_at));
        json.end()
    }
}

/// One line: number, time, transition, namespace and key, then what else is known.
impl fmt::Display for AuditEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, self.at, self.transition)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " {namespace:?}")?;
        }
        match (&self.key, self.key_digest) {
            (Some(key), _) => write!(f, " \"{}\"", key.escape_ascii())?,
            (None, Some(digest)) => write!(f, " {digest}")?,
            (None, None) => {}
        }
        if let Some(token) = self.token {
            write!(f, " token={token} attempt={}", self.attempt)?;
        }
        if !self.actor.is_empty() {
            write!(f, " {}={:?}", self.origin.name(), self.actor)?;
        }
        if !self.reason.is_empty() {
            write!(f, " reason={:?}", self.reason)?;
        }
        Ok(())
    }
}
