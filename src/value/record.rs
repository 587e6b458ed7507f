//! [`Record`]: a key's whole state after one transition.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::value::blob::Blob;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::key_bytes::KeyBytes;
use crate::value::namespace_id::NamespaceId;

/// What a record says the key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordKind {
    /// A holder runs it. Journaled under `AtMostOnce`, for checkpoints, for tickets, and from the
    /// second attempt on where attempts are limited.
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
    /// The key is gone.
    Forgotten,
}

/// The fields of a record that have a fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) kind: RecordKind,
    pub(crate) namespace: NamespaceId,
    pub(crate) token: FencingToken,
    /// Runs so far, this one included; zero if the only run never happened.
    pub(crate) attempt: u32,
    /// Store time of the first claim of the key.
    pub(crate) first_claimed_at: u32,
    /// Store time of the transition.
    pub(crate) recorded_at: u32,
    /// Store time from which the record counts as absent, or [`NEVER`](crate::value::time::NEVER).
    pub(crate) expires_at: u32,
    /// How long the claim asked for its outcome to be remembered, in seconds; zero: the policy's.
    pub(crate) retention_secs: u32,
    /// The outcome was recorded without its bytes.
    pub(crate) body_omitted: bool,
    /// The ticket of this token was turned into a lease, which may have begun the effect.
    pub(crate) attached: bool,
}

/// A record to be written: borrowed, so that it is copied only into the log.
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
    pub(crate) key: KeyBytes,
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

impl Record {
    /// The same record, which keeps no frame in memory.
    pub(crate) fn apart(self: Arc<Self>) -> Arc<Self> {
        if !self.body.is_in_frame() {
            return self;
        }
        Arc::new(Self {
            body: self.body.apart(),
            ..Self::clone(&self)
        })
    }
}

/// The reason of a doubt without a stated one: its holder has gone with its process.
pub(crate) const DIED: &[u8] = b"the process ended without an outcome";

impl Record {
    /// What its body says to a reader.
    pub(crate) fn decode<T>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, Box<dyn StdError + Send + Sync>>,
    ) -> Result<T> {
        if self.head.body_omitted {
            let text = "the outcome was recorded without its bytes, which were over max_response or could not \
                        be made: there is no value to give back, and the work is not run again";
            return Err(Error::new(ErrorKind::Decode, text));
        }
        read(&self.body).map_err(|cause| {
            let text = format!(
                "the stored bytes do not decode: {cause}; they are in payload(), and the work is not run again"
            );
            let error = Error::new(ErrorKind::Decode, text).with_source(cause);
            error.with_payload(self.body.to_vec())
        })
    }

    /// The record in the form of a doubt. The record of a claim whose process died has the reason of an
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
    /// The record that makes a key absent from `store_secs` on.
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
