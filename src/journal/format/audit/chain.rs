//! The hash chain through the audit entries: the only file that names SHA-256.

use sha2::{Digest as _, Sha256};

use crate::value::audit::AuditHead;

/// Highest number of an entry. A store that comes near refuses all changes.
pub(crate) const AUDIT_NUMBER_MAX: u64 = 1 << 62;

/// The head of a chain without an entry; each store has its own.
pub(crate) fn genesis(store_id: &[u8; 16]) -> AuditHead {
    let mut hasher = Sha256::new();
    hasher.update(b"hapax audit");
    hasher.update(store_id);
    AuditHead {
        number: 0,
        link: hasher.finalize().into(),
    }
}

/// The head after an entry whose body has this digest.
pub(super) fn follow(head: &AuditHead, digest: &[u8; 32]) -> AuditHead {
    let number = head.number + 1;
    let mut hasher = Sha256::new();
    hasher.update(head.link);
    hasher.update(number.to_le_bytes());
    hasher.update(digest);
    AuditHead {
        number,
        link: hasher.finalize().into(),
    }
}

/// The digest of the body of an entry.
pub(super) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}
