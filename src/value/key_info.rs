//! [`KeyInfo`]: a key, and what users see of its record.

use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "json")]
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::value::error::Error;
#[cfg(feature = "json")]
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::hex::hex;
#[cfg(feature = "json")]
use crate::value::json;
use crate::value::key_digest::KeyDigest;
use crate::value::key_state::KeyState;
use crate::value::record::Record;
use crate::value::time::{NEVER, system_time};

/// A key and what the store knows of it.
///
/// # Examples
///
/// ```
/// use hapax::{KeyState, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// mail.insert("user-7")?;
/// let info = mail.get("user-7")?.expect("it is there");
/// assert_eq!((info.key(), info.state()), (&b"user-7"[..], KeyState::Completed));
/// assert!(info.expires_at() > Some(info.recorded_at()));
/// let json = serde_json::to_value(&info).unwrap();
/// assert_eq!(json["state"], "completed");
/// # Ok::<(), hapax::Error>(())
/// ```
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

    /// The digest that stands for the key in logs and audits.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// The state of the key.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// The token of its last transition.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.record.head.token
    }

    /// The number of runs so far, without those that were resolved as never happened.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.record.head.attempt
    }

    /// Store time of the first claim, in whole seconds.
    #[must_use]
    pub fn first_claimed_at(&self) -> SystemTime {
        system_time(self.record.head.first_claimed_at)
    }

    /// Store time of the last transition, in whole seconds.
    #[must_use]
    pub fn recorded_at(&self) -> SystemTime {
        system_time(self.record.head.recorded_at)
    }

    /// Store time at which the key expires; `None` if it does not expire.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_secs().map(system_time)
    }

    fn expires_secs(&self) -> Option<u32> {
        Some(self.record.head.expires_at).filter(|at| *at != NEVER)
    }

    /// The metadata of the first claim of the request.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.record.metadata
    }

    /// Why the key is in doubt, or the reason of its last release; empty without either.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.record.reason
    }

    /// The response of a completed key, the error of a failed key, or the last checkpoint.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.record.body
    }

    /// The [`body`](Self::body) as a value, where it was stored as [`Json`](crate::Json).
    ///
    /// # Errors
    /// [`Decode`](crate::ErrorKind::Decode) for bytes that are no `T`, or were left out.
    #[cfg(feature = "json")]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.record.decode(|bytes| Ok(json::read(bytes)?))
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

/// As one object: the accessors by their names, times in seconds since 1970, the token and the digest as
/// strings. Bytes that are no UTF-8 have a name that ends in `_hex`, and of the fingerprint its scheme and
/// labels are told.
impl Serialize for KeyInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = &self.record.head;
        let mut info = serializer.serialize_map(None)?;
        info.serialize_entry("namespace", &*self.namespace)?;
        add_bytes(&mut info, ["key", "key_hex"], self.key())?;
        info.serialize_entry("digest", &self.digest)?;
        info.serialize_entry("state", &self.state)?;
        info.serialize_entry("token", &head.token)?;
        info.serialize_entry("attempt", &head.attempt)?;
        info.serialize_entry("first_claimed_at", &head.first_claimed_at)?;
        info.serialize_entry("recorded_at", &head.recorded_at)?;
        info.serialize_entry("expires_at", &self.expires_secs())?;
        add_bytes(&mut info, ["metadata", "metadata_hex"], self.metadata())?;
        add_bytes(&mut info, ["reason", "reason_hex"], self.reason())?;
        add_bytes(&mut info, ["body", "body_hex"], self.body())?;
        info.serialize_entry("body_omitted", &head.body_omitted)?;
        info.serialize_entry("fingerprint", &self.fingerprint().map(Print::of))?;
        info.end()
    }
}

/// Bytes under the first name where they are text, else as digits under the second.
fn add_bytes<M: SerializeMap>(
    map: &mut M,
    [text, digits]: [&'static str; 2],
    bytes: &[u8],
) -> Result<(), M::Error> {
    match std::str::from_utf8(bytes) {
        Ok(bytes) => map.serialize_entry(text, bytes),
        Err(_) => map.serialize_entry(digits, &hex(bytes)),
    }
}

/// The parts of a fingerprint that are shown.
#[derive(Serialize)]
struct Print<'a> {
    scheme: u32,
    labels: Vec<&'a str>,
}

impl<'a> Print<'a> {
    fn of(fingerprint: &'a Fingerprint) -> Self {
        Self {
            scheme: fingerprint.scheme(),
            labels: fingerprint.labels().collect(),
        }
    }
}

impl Error {
    pub(crate) fn with_current(self, current: KeyInfo) -> Self {
        self.with_detail(Box::new(current))
    }

    /// The current state of the key, if the error depends on it.
    #[must_use]
    pub fn current(&self) -> Option<&KeyInfo> {
        self.detail()
    }
}
