//! [`AuditLevel`]: what of a namespace is written into the audit log.

use serde::{Deserialize, Serialize};

/// What of a namespace is written into the audit log.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum AuditLevel {
    /// Nothing but what operators do. The default.
    #[default]
    Off,
    /// Every transition, with the digest of its key.
    Digests,
    /// Every transition, with the key itself.
    Keys,
}
