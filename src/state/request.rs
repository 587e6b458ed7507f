//! [`Request`]: what a claim asks for.

use std::time::Duration;

use crate::value::blob::Blob;
use crate::value::fingerprint::Fingerprint;

/// What a claim asks for, beside the key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) metadata: Blob,
    /// Who claims, for the audit log.
    pub(crate) actor: Blob,
    pub(crate) lease_ms: u64,
    /// How long the outcome is remembered, where the claim says so itself.
    pub(crate) retention: Option<Duration>,
    /// For how long the store renews the lease by itself, from when the grant is handed out.
    pub(crate) keep_alive_ms: u64,
}

impl Request {
    /// It says nothing that has to be kept beside the lease.
    pub(crate) fn is_plain(&self) -> bool {
        self.fingerprint.is_none()
            && self.metadata.is_empty()
            && self.actor.is_empty()
            && self.retention.is_none()
    }
}
