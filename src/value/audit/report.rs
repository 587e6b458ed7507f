//! [`AuditReport`]: what a verification of the audit log found.

use serde::Serialize;

use crate::value::audit::head::AuditHead;

/// What [`Store::verify_audit`](crate::Store::verify_audit) found in order.
///
/// # Examples
///
/// ```
/// use hapax::audit::AuditLevel;
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let seen = store.namespace("seen", Policy::at_least_once().audit(AuditLevel::Digests))?;
/// seen.insert("event-7")?;
/// let report = store.verify_audit()?;
/// assert_eq!(report.head(), store.audit_head());
/// println!("{} entries are in order", report.entries());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct AuditReport {
    pub(crate) entries: u64,
    pub(crate) archives: u64,
    pub(crate) archived: u64,
    pub(crate) first: u64,
    pub(crate) head: AuditHead,
}

impl AuditReport {
    /// The number of entries that were read.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The number of archives that were read.
    #[must_use]
    pub fn archives(&self) -> u64 {
        self.archives
    }

    /// The number of entries that lie in archives.
    #[must_use]
    pub fn archived(&self) -> u64 {
        self.archived
    }

    /// The number of the oldest entry, or of the next one if the log has no entry.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The last entry; keep it elsewhere, for
    /// [`Store::verify_audit_against`](crate::Store::verify_audit_against).
    #[must_use]
    pub fn head(&self) -> AuditHead {
        self.head
    }
}
