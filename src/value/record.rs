//! [`Record`]: a key's whole state after one transition, and [`KeyInfo`], what users see of it.

use std::fmt;
use std::sync::Arc;

use crate::runtime::clock::NEVER;
use crate::value::blob::Blob;
use crate::value::fingerprint::Fingerprint;
use crate::value::key::{FencingToken, KeyDigest, NamespaceId};

/// What a record says the key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordKind {
    /// Someone runs it. Journaled under `AtMostOnce`, for checkpoints, for tickets, and from the
    /// second attempt on where attempts are limited.
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
    /// The key is gone.
    Forgotten,
}

/// Where a record lies: the number of its frame and its offset in the frame's payload.
///
/// Frame numbers only rise while a store is open, so a locator is also a version. Ordered by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Locator {
    pub(crate) frame: u64,
    pub(crate) offset: u16,
}

/// The fields of a record that have a fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) kind: RecordKind,
    pub(crate) namespace: NamespaceId,
    pub(crate) token: FencingToken,
    /// Runs so far, this one included; zero where the only one never happened.
    pub(crate) attempt: u32,
    /// Store time of the first claim of the key.
    pub(crate) first_claimed_at: u32,
    /// Store time of the transition.
    pub(crate) recorded_at: u32,
    /// Store time from which the record counts as absent; [`NEVER`] for none.
    pub(crate) expires_at: u32,
    /// How long the claim asked for its outcome to be remembered, in seconds; zero: the policy's.
    pub(crate) retention_secs: u32,
    /// The outcome was recorded without its bytes.
    pub(crate) body_omitted: bool,
    /// The ticket of this token was turned into a lease, which may have begun the effect.
    pub(crate) attached: bool,
}

/// A record as it is written: borrowed, so that nothing is copied but into the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRef<'a> {
    pub(crate) head: Head,
    pub(crate) key: &'a [u8],
    pub(crate) fingerprint: Option<&'a Fingerprint>,
    pub(crate) metadata: &'a [u8],
    /// The last reason given for a release or a doubt.
    pub(crate) reason: &'a [u8],
    /// The response, the error, or the checkpoint.
    pub(crate) body: &'a [u8],
}

/// A record as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) key: Arc<[u8]>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) metadata: Blob,
    pub(crate) reason: Blob,
    pub(crate) body: Blob,
}

impl Record {
    pub(crate) fn as_ref(&self) -> RecordRef<'_> {
        RecordRef {
            head: self.head,
            key: &self.key,
            fingerprint: self.fingerprint.as_ref(),
            metadata: &self.metadata,
            reason: &self.reason,
            body: &self.body,
        }
    }
}

/// The reason of a doubt that nobody stated: its holder has gone with its process.
const DIED: &[u8] = b"the process ended without an outcome";

impl Record {
    /// The record as it tells of a doubt. One of a claim whose process died carries the reason of an
    /// earlier attempt, which is not that of this doubt.
    pub(crate) fn into_doubt(self: Arc<Self>) -> Arc<Self> {
        if self.head.kind != RecordKind::InProgress {
            return self;
        }
        Arc::new(Self {
            reason: DIED.into(),
            ..Self::clone(&self)
        })
    }
}

impl<'a> RecordRef<'a> {
    /// What says that a key is absent from `store_secs` on.
    pub(crate) fn forgotten(
        namespace: NamespaceId,
        key: &'a [u8],
        token: FencingToken,
        store_secs: u32,
    ) -> Self {
        Self {
            head: Head {
                kind: RecordKind::Forgotten,
                namespace,
                token,
                attempt: 0,
                first_claimed_at: store_secs,
                recorded_at: store_secs,
                expires_at: store_secs,
                retention_secs: 0,
                body_omitted: false,
                attached: false,
            },
            key,
            fingerprint: None,
            metadata: &[],
            reason: &[],
            body: &[],
        }
    }
}

impl RecordRef<'_> {
    pub(crate) fn to_record(self) -> Record {
        Record {
            head: self.head,
            key: self.key.into(),
            fingerprint: self.fingerprint.cloned(),
            metadata: self.metadata.into(),
            reason: self.reason.into(),
            body: self.body.into(),
        }
    }
}

/// What a key is.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// A holder runs it, or a lapsed one has not been replaced yet.
    InProgress,
    /// It ran, and its response is stored.
    Completed,
    /// It failed for good, and its error is stored.
    Failed,
    /// Nobody knows whether its effect happened.
    InDoubt,
    /// It failed in a way that may be tried again.
    Released,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::Released => "released",
        })
    }
}

/// A key and what the store knows of it.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    pub(crate) namespace: Arc<str>,
    pub(crate) digest: KeyDigest,
    pub(crate) state: State,
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
    pub fn state(&self) -> State {
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
