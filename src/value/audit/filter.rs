//! [`AuditFilter`]: which entries a scan gives.

use std::time::SystemTime;

use crate::value::audit::origin::Origin;
use crate::value::audit::transition::Transition;
use crate::value::key_digest::KeyDigest;
use crate::value::time::first_second_from;

/// The filter of [`Store::audit`](crate::Store::audit): namespace, key, transition, origin, a span of time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::audit::{AuditFilter, AuditLevel, Origin};
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let seen = store.namespace("seen", Policy::at_least_once().audit(AuditLevel::Digests))?;
/// seen.insert("event-7")?;
/// let hour_ago = store.stats().store_time() - Duration::from_secs(3600);
/// let filter = AuditFilter::new().namespace("seen").key("event-7").from(hour_ago);
/// assert_eq!(store.audit(filter.clone())?.count(), 1);
/// assert_eq!(store.audit(filter.origin(Origin::Operator))?.count(), 0);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub(crate) namespace: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) key_digest: Option<KeyDigest>,
    transitions: Vec<Transition>,
    origin: Option<Origin>,
    from: Option<u64>,
    before: Option<u64>,
}

impl AuditFilter {
    /// A filter that every entry passes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries of this namespace.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// Entries of this key. It is found by its digest, so the policy need not keep keys.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// Entries of the key that this digest stands for.
    #[must_use]
    pub fn key_digest(mut self, digest: KeyDigest) -> Self {
        self.key_digest = Some(digest);
        self
    }

    /// Entries of this transition. A second call adds another transition.
    #[must_use]
    pub fn transition(mut self, transition: Transition) -> Self {
        self.transitions.push(transition);
        self
    }

    /// Entries of this origin.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Entries from this store time on.
    #[must_use]
    pub fn from(mut self, store_time: SystemTime) -> Self {
        self.from = Some(first_second_from(store_time));
        self
    }

    /// Entries before this store time.
    #[must_use]
    pub fn before(mut self, store_time: SystemTime) -> Self {
        self.before = Some(first_second_from(store_time));
        self
    }

    /// Whether an entry passes, by all but its namespace and its key.
    pub(crate) fn passes(&self, transition: Transition, origin: Origin, at: u32) -> bool {
        let at = u64::from(at);
        (self.transitions.is_empty() || self.transitions.contains(&transition))
            && self.origin.is_none_or(|only| only == origin)
            && self.from.is_none_or(|from| at >= from)
            && self.before.is_none_or(|before| at < before)
    }
}
