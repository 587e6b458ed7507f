//! [`AuditLevel`]: how much of a namespace is written into the audit log.

use serde::{Deserialize, Serialize};

/// How much of a namespace is written into the audit log.
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
