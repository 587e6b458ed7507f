//! The knobs: [`Policy`] of a namespace, [`Durability`] and [`Limits`] of a store.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::audit::Audit;
use crate::value::error::{Error, Result};
use crate::value::key::KEY_BYTES_MAX;

/// What a namespace promises when a holder dies.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Guarantee {
    /// An effect may run again if its holder died: the key becomes claimable.
    AtLeastOnce,
    /// An effect is never started twice on its own: the key stays in doubt until it is resolved.
    AtMostOnce,
}

/// How the fingerprint of a claim counts.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FingerprintPolicy {
    /// A claim without one is refused; another scheme is a mismatch.
    Required,
    /// Compared when both sides have one of the same scheme; the answer says whether it was.
    Optional,
    /// Stored, never compared.
    Ignored,
}

/// What a settled key answers to a request with another fingerprint.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnChange {
    /// A mismatch.
    Refuse,
    /// A grant: the changed request runs, and its outcome replaces the old one.
    Rerun,
}

/// What happens to a response or error that is over [`Policy::max_response`].
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Oversize {
    /// The call is refused, and gives the lease back so that the holder can complete with less.
    Refuse,
    /// The outcome is recorded without the bytes; answers say that they were left out.
    OutcomeOnly,
}

/// When a change counts as acknowledged.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Durability {
    /// When it is on the medium. Callers that wait at the same time share one sync.
    Sync,
    /// At once; it is on the medium within this time, and when the oldest change that is not is
    /// older than this, further changes wait.
    Interval(Duration),
}

/// What a store in a directory writes its log with.
///
/// Both keep the same promises, and the same frames under the same numbers:
/// [`Store::move_log`](crate::Store::move_log) takes a store from one to the other.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub enum LogKind {
    /// A sled database for each segment. The default.
    #[default]
    Sled,
    /// A plain file for each segment, allocated ahead and written from front to back.
    Files,
}

/// `sled` or `files`, as [`FromStr`] reads it.
///
/// # Examples
///
/// ```
/// use hapax::LogKind;
///
/// assert_eq!("files".parse::<LogKind>()?, LogKind::Files);
/// assert_eq!(LogKind::Sled.to_string(), "sled");
/// # Ok::<(), hapax::Error>(())
/// ```
impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sled => "sled",
            Self::Files => "files",
        })
    }
}

impl FromStr for LogKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = [Self::Sled, Self::Files].into_iter();
        let mut named = named.filter(|kind| kind.to_string() == text);
        named.next().ok_or_else(|| {
            Error::invalid(format!(
                "there is no kind of log {text:?}: give it sled or files"
            ))
        })
    }
}

impl LogKind {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Sled => Self::Files,
            Self::Files => Self::Sled,
        }
    }
}

/// The rules of a namespace.
///
/// | knob | default |
/// | --- | --- |
/// | [`lease`](Self::lease) | 60 s |
/// | [`retention`](Self::retention) | 24 h |
/// | [`failed_retention`](Self::failed_retention) | as `retention` |
/// | [`attempt_retention`](Self::attempt_retention) | 24 h |
/// | [`max_attempts`](Self::max_attempts) | no limit |
/// | [`max_response`](Self::max_response) | 1 MiB, at most 16 MiB |
/// | [`oversize`](Self::oversize) | [`Oversize::Refuse`] |
/// | [`fingerprints`](Self::fingerprints) | [`FingerprintPolicy::Optional`] |
/// | [`on_change`](Self::on_change) | [`OnChange::Refuse`] |
/// | [`durability`](Self::durability) | that of the store |
/// | [`audit`](Self::audit) | [`Audit::Off`] |
/// | [`audit_retention`](Self::audit_retention) | 400 days |
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub(crate) guarantee: Guarantee,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) failed_retention: Option<Duration>,
    pub(crate) attempt_retention: Duration,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_response_bytes: usize,
    pub(crate) oversize: Oversize,
    pub(crate) fingerprints: FingerprintPolicy,
    pub(crate) on_change: OnChange,
    pub(crate) durability: Option<Durability>,
    #[serde(default)]
    pub(crate) audit: Audit,
    #[serde(default = "audit_retention")]
    pub(crate) audit_retention: Duration,
}

fn audit_retention() -> Duration {
    AUDIT_RETENTION
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long audit entries are kept unless the policy says otherwise.
pub(crate) const AUDIT_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The longest retention and lease: ten years.
pub const RETENTION_MAX: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// The shortest lease.
pub const LEASE_MIN: Duration = Duration::from_millis(1);

/// The most that [`Policy::max_response`] can allow: 16 MiB.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Policy {
    /// An effect may run again if its holder died.
    #[must_use]
    pub fn at_least_once() -> Self {
        Self {
            guarantee: Guarantee::AtLeastOnce,
            lease: MINUTE,
            retention: DAY,
            failed_retention: None,
            attempt_retention: DAY,
            max_attempts: None,
            max_response_bytes: 1024 * 1024,
            oversize: Oversize::Refuse,
            fingerprints: FingerprintPolicy::Optional,
            on_change: OnChange::Refuse,
            durability: None,
            audit: Audit::Off,
            audit_retention: AUDIT_RETENTION,
        }
    }

    /// An effect is never started twice on its own; a holder that died leaves the key in doubt.
    #[must_use]
    pub fn at_most_once() -> Self {
        Self {
            guarantee: Guarantee::AtMostOnce,
            ..Self::at_least_once()
        }
    }

    /// How long a holder may be silent: from 1 ms up, and shorter than every retention.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a completion is remembered and answered, at most ten years.
    ///
    /// A key runs again once its outcome has expired, and it expires while the store is closed too. So
    /// this is at least the longest outage, plus the longest time for which a sender goes on
    /// sending the same message, plus a margin.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hapax::Policy;
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// // A queue redelivers for four days, and a weekend may pass before anybody mends the service.
    /// let (outage, redelivery, margin) = (3 * day, 4 * day, day);
    /// let events = Policy::at_least_once().retention(outage + redelivery + margin);
    /// # drop(events);
    /// ```
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// How long a final failure is remembered and answered.
    #[must_use]
    pub fn failed_retention(mut self, retention: Duration) -> Self {
        self.failed_retention = Some(retention);
        self
    }

    /// How long the attempts, the last error and the checkpoint of an unfinished key are kept.
    #[must_use]
    pub fn attempt_retention(mut self, retention: Duration) -> Self {
        self.attempt_retention = retention;
        self
    }

    /// After this many attempts, the next release, lapse or crash is a final failure.
    ///
    /// Work that kills its process is counted too: each claim is journaled, and is as durable as the
    /// namespace demands before it is granted. So a claim costs a record, and under
    /// [`Durability::Sync`] it waits for a commit. Under [`Durability::Interval`] an attempt that dies
    /// within the window is not counted: demand [`Durability::Sync`] with
    /// [`durability`](Self::durability). Attempts are remembered for
    /// [`attempt_retention`](Self::attempt_retention).
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Most bytes of a response or an error, up to 16 MiB.
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// What happens to a response or error that is over its limit.
    #[must_use]
    pub fn oversize(mut self, oversize: Oversize) -> Self {
        self.oversize = oversize;
        self
    }

    /// How the fingerprint of a claim counts.
    #[must_use]
    pub fn fingerprints(mut self, policy: FingerprintPolicy) -> Self {
        self.fingerprints = policy;
        self
    }

    /// What a settled key answers to a request with another fingerprint.
    #[must_use]
    pub fn on_change(mut self, on_change: OnChange) -> Self {
        self.on_change = on_change;
        self
    }

    /// The durability of this namespace; a namespace may demand more than the store, not less.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// What is written into the audit log: every transition with the digest of its key, or with
    /// the key, or nothing but what operators do.
    #[must_use]
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// How long audit entries are kept, at most ten years: apart from, and usually longer than, the
    /// outcomes that they tell of.
    #[must_use]
    pub fn audit_retention(mut self, retention: Duration) -> Self {
        self.audit_retention = retention;
        self
    }

    /// What the namespace promises when a holder dies.
    #[must_use]
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// How long a completion is remembered under it: what [`retention`](Self::retention) was given.
    #[must_use]
    pub fn completed_retention(&self) -> Duration {
        self.retention
    }

    /// Most bytes of a response under it: what [`max_response`](Self::max_response) was given.
    #[must_use]
    pub fn max_response_bytes(&self) -> usize {
        self.max_response_bytes
    }

    pub(crate) fn failed_retention_or_default(&self) -> Duration {
        self.failed_retention.unwrap_or(self.retention)
    }

    /// Refuses what contradicts itself, before anything is done with it.
    pub(crate) fn check(&self, store: Durability) -> Result<()> {
        check_span("retention", self.retention)?;
        check_span("failed_retention", self.failed_retention_or_default())?;
        check_span("attempt_retention", self.attempt_retention)?;
        check_span("audit_retention", self.audit_retention)?;
        let shortest = self
            .retention
            .min(self.failed_retention_or_default())
            .min(self.attempt_retention);
        check_lease(self.lease, shortest)?;
        if self.max_attempts == Some(0) {
            return Err(Error::invalid(
                "max_attempts is 0, so nothing could ever run: allow at least 1",
            ));
        }
        if self.max_response_bytes > RESPONSE_BYTES_MAX {
            let remedy = "keep large answers elsewhere and store a reference";
            return Err(Error::too_large(
                "max_response",
                self.max_response_bytes,
                RESPONSE_BYTES_MAX,
                remedy,
            ));
        }
        check_durability(self.durability.unwrap_or(store))?;
        if matches!(self.durability, Some(Durability::Interval(_)))
            && self.durability != Some(store)
            && store != Durability::Sync
        {
            return Err(Error::invalid(
                "the window of Durability::Interval is that of the store: a namespace can demand Sync, or leave it",
            ));
        }
        if let (Durability::Sync, Some(Durability::Interval(_))) = (store, self.durability) {
            return Err(Error::invalid(
                "the namespace asks for less durability than the store gives: open the store with Interval, \
                 and ask for Sync in the namespaces that need it",
            ));
        }
        Ok(())
    }
}

fn check_span(name: &str, span: Duration) -> Result<()> {
    if span.is_zero() {
        return Err(Error::invalid(format!(
            "{name} is zero, so nothing would be remembered: give it at least a second or so"
        )));
    }
    if span > RETENTION_MAX {
        return Err(Error::invalid(format!(
            "{name} is over ten years: shorten it"
        )));
    }
    Ok(())
}

/// Refuses a lease that is zero or not shorter than the retention it goes with.
pub(crate) fn check_lease(lease: Duration, retention: Duration) -> Result<()> {
    if lease < LEASE_MIN {
        return Err(Error::invalid(
            "the lease is shorter than a millisecond: a holder needs time to run",
        ));
    }
    if lease >= retention {
        return Err(Error::invalid(format!(
            "the lease ({lease:?}) is not shorter than the shortest retention ({retention:?}): the lease is how long a holder may be \
             silent, retention is how long the outcome is remembered"
        )));
    }
    Ok(())
}

pub(crate) fn check_retention(retention: Duration) -> Result<()> {
    check_span("retention", retention)
}

pub(crate) fn check_durability(durability: Durability) -> Result<()> {
    match durability {
        Durability::Interval(window) if window < Duration::from_millis(1) || window > MINUTE => {
            Err(Error::invalid(
                "the window of Durability::Interval must be 1 ms to 60 s",
            ))
        }
        _ => Ok(()),
    }
}

/// The limits of a store. Each is checked before any work is done, with a typed error.
///
/// | limit | default |
/// | --- | --- |
/// | [`key_bytes`](Self::key_bytes) | 1024, at most 1024 |
/// | [`metadata_bytes`](Self::metadata_bytes) | 4 KiB, at most 16 KiB |
/// | [`reason_bytes`](Self::reason_bytes) | 4 KiB, at most 16 KiB |
/// | [`batch_items`](Self::batch_items) | 8192, at most 65,536 |
/// | [`waiters_per_key`](Self::waiters_per_key) | 4096 |
/// | [`waiters`](Self::waiters) | 65,536 |
/// | [`running_keys`](Self::running_keys) | 1,000,000 |
/// | [`live_keys`](Self::live_keys) | no limit but memory: 24 to 48 bytes each |
/// | [`unwritten_bytes`](Self::unwritten_bytes) | 16 MiB |
/// | [`free_disk_bytes`](Self::free_disk_bytes) | 256 MiB |
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) key_bytes: usize,
    pub(crate) metadata_bytes: usize,
    pub(crate) reason_bytes: usize,
    pub(crate) batch_items: usize,
    pub(crate) waiters_per_key: usize,
    pub(crate) waiters: usize,
    pub(crate) running_keys: usize,
    pub(crate) live_keys: usize,
    pub(crate) unwritten_bytes: usize,
    pub(crate) free_disk_bytes: u64,
}

/// Most bytes of metadata and of a reason, so that a record without its body fits a frame.
pub(crate) const SMALL_BYTES_MAX: usize = 16 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes: KEY_BYTES_MAX,
            metadata_bytes: 4 * 1024,
            reason_bytes: 4 * 1024,
            batch_items: 8192,
            waiters_per_key: 4096,
            waiters: 65_536,
            running_keys: 1_000_000,
            live_keys: usize::MAX,
            unwritten_bytes: 16 * 1024 * 1024,
            free_disk_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Most bytes of a key.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// Most bytes of the metadata of a claim.
    #[must_use]
    pub fn metadata_bytes(mut self, bytes: usize) -> Self {
        self.metadata_bytes = bytes;
        self
    }

    /// Most bytes of the reason of a release or a doubt.
    #[must_use]
    pub fn reason_bytes(mut self, bytes: usize) -> Self {
        self.reason_bytes = bytes;
        self
    }

    /// Most items of `claim_many` and `insert_many`. Leases are settled together in any number.
    #[must_use]
    pub fn batch_items(mut self, items: usize) -> Self {
        self.batch_items = items;
        self
    }

    /// Most callers that wait for one key; a further one is answered at once, as without a wait.
    #[must_use]
    pub fn waiters_per_key(mut self, waiters: usize) -> Self {
        self.waiters_per_key = waiters;
        self
    }

    /// Most callers that wait in the whole store; a further one is answered at once.
    #[must_use]
    pub fn waiters(mut self, waiters: usize) -> Self {
        self.waiters = waiters;
        self
    }

    /// Most keys that run at the same time; over it new claims are refused. Lapsed keys that nobody
    /// took over, and keys that a lapse left in doubt, count among them.
    #[must_use]
    pub fn running_keys(mut self, keys: usize) -> Self {
        self.running_keys = keys;
        self
    }

    /// Most keys that the store remembers; over it claims of new keys are refused. A live key is
    /// never evicted.
    #[must_use]
    pub fn live_keys(mut self, keys: usize) -> Self {
        self.live_keys = keys;
        self
    }

    /// Most bytes of changes that wait to be written; over it callers wait.
    #[must_use]
    pub fn unwritten_bytes(mut self, bytes: usize) -> Self {
        self.unwritten_bytes = bytes;
        self
    }

    /// Free disk space under which new claims are refused while holders can still complete. Less than
    /// 8 MiB, and 1 KiB for each key that runs, is refused whatever this is: outcomes need it.
    #[must_use]
    pub fn free_disk_bytes(mut self, bytes: u64) -> Self {
        self.free_disk_bytes = bytes;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let bounded = [
            ("key_bytes", self.key_bytes, KEY_BYTES_MAX),
            ("metadata_bytes", self.metadata_bytes, SMALL_BYTES_MAX),
            ("reason_bytes", self.reason_bytes, SMALL_BYTES_MAX),
            ("batch_items", self.batch_items, 65_536),
            ("running_keys", self.running_keys, 1 << 28),
            ("unwritten_bytes", self.unwritten_bytes, 1 << 30),
        ];
        for (name, value, most) in bounded {
            if value == 0 {
                return Err(Error::invalid(format!(
                    "the limit {name} is 0, so nothing could pass: allow at least 1"
                )));
            }
            if value > most {
                return Err(Error::too_large(
                    &format!("the limit {name}"),
                    value,
                    most,
                    "lower it",
                ));
            }
        }
        Ok(())
    }
}
