//! [`AuditLevel`]: how much of a namespace is written into the audit log.

use serde::{Deserialize, Serialize};

/// How much of a namespace is written into the audit log.
///
/// # Examples
///
/// ```
/// use hapax::audit::{AuditFilter, AuditLevel};
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once().audit(AuditLevel::Keys))?;
/// mail.insert("user-7")?;
/// let entry = store.audit(AuditFilter::new())?.next().expect("one transition")?;
/// assert_eq!(entry.key(), Some(&b"user-7"[..]));
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum AuditLevel {
    /// Only the actions of operators. The default.
    #[default]
    Off,
    /// Every transition, with the digest of its key.
    Digests,
    /// Every transition, with the key itself.
    Keys,
}
