//! [`Policy`]: the rules of a namespace.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::audit::AuditLevel;
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::{Durability, check_durability};
use crate::value::error::{Error, Result};
use crate::value::guarantee::Guarantee;
use crate::value::size::check_size;

/// How a settled key answers a request with another fingerprint.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, ClaimOptions, OnChange, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let policy = Policy::at_least_once().on_change(OnChange::Rerun);
/// let pages = store.namespace("pages", policy)?;
/// for body in ["first draft", "second draft"] {
///     let changed = ClaimOptions::new().fingerprint(pages.fingerprint_of(body)?);
///     let Claim::Granted(lease) = pages.claim_with("page-7", changed)? else { panic!("it changed") };
///     lease.complete("rendered")?;
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnChange {
    /// A mismatch.
    Refuse,
    /// A grant: the changed request runs, and its outcome replaces the old one.
    Rerun,
}

/// The treatment of a response or error that is over [`Policy::max_response`].
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Oversize, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let policy = Policy::at_least_once().max_response(4).oversize(Oversize::OutcomeOnly);
/// let jobs = store.namespace("jobs", policy)?;
/// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
/// lease.complete("too long")?;
/// let Claim::Completed(answer) = jobs.claim("report")? else { panic!("it ran") };
/// assert!(answer.response_omitted());
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Oversize {
    /// The call is refused, and gives the lease back so that the holder can complete with less.
    Refuse,
    /// The outcome is recorded without the bytes; answers say that they were left out.
    OutcomeOnly,
}

/// The rules of a namespace: guarantee, lease, retentions, limits.
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
/// | [`audit`](Self::audit) | [`AuditLevel::Off`] |
/// | [`audit_retention`](Self::audit_retention) | 400 days |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Guarantee, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let policy = Policy::at_least_once()
///     .lease(Duration::from_secs(120))
///     .retention(Duration::from_secs(7 * 24 * 60 * 60))
///     .max_attempts(5);
/// let jobs = store.namespace("jobs", policy)?;
/// assert_eq!(jobs.policy().guarantee(), Guarantee::AtLeastOnce);
/// # Ok::<(), hapax::Error>(())
/// ```
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
    pub(crate) audit: AuditLevel,
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
            audit: AuditLevel::Off,
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

    /// How long a holder may be silent: at least 1 ms, and shorter than every retention.
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
    /// // A queue redelivers for four days, and a weekend may pass before an engineer mends the service.
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

    /// The most bytes of a response or an error, up to 16 MiB.
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// The treatment of a response or error that is over the limit.
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

    /// How a settled key answers a request with another fingerprint.
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

    /// What is written into the audit log: every transition with the digest of its key, or with the key, or
    /// only the actions of operators.
    #[must_use]
    pub fn audit(mut self, audit: AuditLevel) -> Self {
        self.audit = audit;
        self
    }

    /// How long audit entries are kept, at most ten years. It does not depend on the retention of outcomes,
    /// and is usually longer.
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

    /// How long a completion is remembered, as set with [`retention`](Self::retention).
    #[must_use]
    pub fn completed_retention(&self) -> Duration {
        self.retention
    }

    /// The most bytes of a response, as set with [`max_response`](Self::max_response).
    #[must_use]
    pub fn max_response_bytes(&self) -> usize {
        self.max_response_bytes
    }

    /// Whether an outcome is stored with its bytes.
    pub(crate) fn keeps(&self, outcome: &[u8]) -> bool {
        outcome.len() <= self.max_response_bytes
    }

    /// Whether an outcome is stored without its bytes.
    #[inline]
    pub(crate) fn omits(&self, outcome: &[u8]) -> bool {
        !self.keeps(outcome) && self.oversize == Oversize::OutcomeOnly
    }

    /// Refuses an outcome that is stored neither with its bytes nor without them.
    #[inline]
    pub(crate) fn check_outcome(&self, outcome: &[u8], remedy: &str) -> Result<()> {
        if self.omits(outcome) {
            return Ok(());
        }
        let (bytes, most) = (outcome.len(), self.max_response_bytes);
        check_size("the response or error", bytes, most, remedy)
    }

    pub(crate) fn failed_retention_or_default(&self) -> Duration {
        self.failed_retention.unwrap_or(self.retention)
    }

    /// Refuses a policy that contradicts itself, before any work.
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
        let remedy = "keep large answers elsewhere and store a reference";
        let bytes = self.max_response_bytes;
        check_size("max_response", bytes, RESPONSE_BYTES_MAX, remedy)?;
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
