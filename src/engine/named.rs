//! [`Named`]: a key, as a call names it.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::state::transition::Subject;
use crate::value::digest::{Digest, Hasher128};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::namespace_id::NamespaceId;
use crate::value::time::Now;

/// A key, as a call names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) namespace: &'a Arc<NamespaceCore>,
    pub(crate) digest: Digest,
    pub(crate) key: &'a [u8],
}

impl<'a> Named<'a> {
    /// Refuses a key that shares its digest with another one. Every caller that has the stored key at hand
    /// asks this; a caller without the record trusts the digest (`docs/decisions/0004-identity-of-keys.md`).
    #[inline]
    pub(in crate::engine) fn check_same_key(self, stored: &[u8]) -> Result<()> {
        if stored == self.key {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InUse,
            "another key has the same digest in this process: reopen the store, which draws a new secret",
        ))
    }

    /// The subject of a key without a record.
    #[inline]
    pub(in crate::engine) fn new_subject(self, token: FencingToken, now: Now) -> Subject<'a> {
        new_subject(self.namespace, self.key, token, now)
    }
}

/// The subject of a key without a record: a first attempt, and nothing else.
#[inline]
pub(crate) fn new_subject<'a>(
    namespace: &'a NamespaceCore,
    key: &'a [u8],
    token: FencingToken,
    now: Now,
) -> Subject<'a> {
    Subject {
        namespace: namespace.id,
        key,
        token,
        attempt: 1,
        first_claimed_at: now.store_secs,
        fingerprint: None,
        metadata: &[],
        reason: &[],
        checkpoint: &[],
        retention: None,
        attached: false,
        policy: &namespace.policy,
    }
}

/// The derived key of this label under the secret of a store: the same across attempts and restarts.
pub(crate) fn derived_key(
    seeded: &Hasher128,
    namespace: NamespaceId,
    key: &[u8],
    label: &str,
) -> String {
    let key_len = crate::engine::sizes::to_u64(key.len()).to_le_bytes();
    let derived = seeded.hash(&[
        b"derived key",
        &namespace.0.to_le_bytes(),
        &key_len,
        key,
        label.as_bytes(),
    ]);
    format!("{derived:032x}")
}

impl Engine {
    #[inline]
    pub(crate) fn digest(&self, namespace: &NamespaceCore, key: &[u8]) -> Digest {
        self.hasher.digest(namespace.id, key)
    }

    /// Names a key for the calls of this engine.
    #[inline]
    pub(crate) fn named<'a>(&self, namespace: &'a Arc<NamespaceCore>, key: &'a [u8]) -> Named<'a> {
        let digest: Digest = self.digest(namespace, key);
        Named {
            namespace,
            digest,
            key,
        }
    }

    /// Begins to bring the slot of a key near that is looked at next.
    #[inline]
    pub(crate) fn prefetch(&self, digest: Digest) {
        self.shards.prefetch(digest);
    }

    pub(crate) fn digest_of(&self, namespace: NamespaceId, key: &[u8]) -> Digest {
        self.hasher.digest(namespace, key)
    }
}
