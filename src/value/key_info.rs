//! [`KeyInfo`]: a key, and what users see of its record.

use std::sync::Arc;

use crate::value::error::Error;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::key_digest::KeyDigest;
use crate::value::key_state::KeyState;
use crate::value::record::Record;
use crate::value::time::NEVER;

/// A key and what the store knows of it.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    pub(crate) namespace: Arc<str>,
    pub(crate) digest: KeyDigest,
    pub(crate) state: KeyState,
    pub(crate) record: Arc<Record>,
}

impl KeyInfo {
    /// The name of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.record.key
    }

    /// What stands for the key in logs and audits.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// What it is.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// The token of its last transition.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.record.head.token
    }

    /// Runs so far; what was resolved to have never happened does not count.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.record.head.attempt
    }

    /// Store time of the first claim, in seconds since 1970.
    #[must_use]
    pub fn first_claimed_at(&self) -> u64 {
        u64::from(self.record.head.first_claimed_at)
    }

    /// Store time of the last transition, in seconds since 1970.
    #[must_use]
    pub fn recorded_at(&self) -> u64 {
        u64::from(self.record.head.recorded_at)
    }

    /// Store time at which the key counts as absent; `None` when it never does by itself.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        let at = self.record.head.expires_at;
        (at != NEVER).then_some(u64::from(at))
    }

    /// The metadata of the first claim of the request.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.record.metadata
    }

    /// Of a key in doubt, why it is; else the reason of the last release, empty when there was none.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.record.reason
    }

    /// The response of a completed key, the error of a failed one, else the last checkpoint.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.record.body
    }

    /// Whether the outcome was recorded without its bytes, because they were over the limit.
    #[must_use]
    pub fn body_omitted(&self) -> bool {
        self.record.head.body_omitted
    }

    /// The fingerprint of the request that ran.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.record.fingerprint.as_ref()
    }
}

impl Error {
    pub(crate) fn with_current(self, current: KeyInfo) -> Self {
        self.with_detail(current)
    }

    /// What the key is now, where the refusal rests on it.
    #[must_use]
    pub fn current(&self) -> Option<&KeyInfo> {
        self.detail()
    }
}
