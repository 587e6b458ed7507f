//! [`Request`]: what a claim asks for.

use std::time::Duration;

use crate::value::blob::Blob;
use crate::value::fingerprint::Fingerprint;

/// What a claim asks for, beside the key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) lease_ms: u64,
    /// For how long the store renews the lease by itself, from when the grant is handed out.
    pub(crate) keep_alive_ms: u64,
    /// What only some claims say, so that the others move three words.
    pub(crate) parts: Option<Box<RequestParts>>,
}

/// What only some claims say, and what is kept beside the lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestParts {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) metadata: Blob,
    /// Who claims, for the audit log.
    pub(crate) actor: Blob,
    /// How long the outcome is remembered, where the claim says so itself.
    pub(crate) retention: Option<Duration>,
}

impl Request {
    #[inline]
    pub(crate) fn fingerprint(&self) -> Option<&Fingerprint> {
        self.parts.as_ref()?.fingerprint.as_ref()
    }
}
