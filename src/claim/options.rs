//! [`ClaimOptions`]: the options of a claim.

use std::time::Duration;

use crate::state::request::{Request, RequestParts};
use crate::value::attribution::check_actor;
use crate::value::blob::Blob;
use crate::value::comparison::FingerprintPolicy;
use crate::value::error::{Error, Result};
use crate::value::fingerprint::Fingerprint;
use crate::value::key_bytes::KeyBytes;
use crate::value::limits::Limits;
use crate::value::policy::{Policy, check_lease, check_retention};
use crate::value::time::millis;

/// The options of a claim: fingerprint, wait, metadata, lease and retention.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Claim, ClaimOptions, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let body = pay.fingerprint(1).part("body", r#"{"cents": 1299}"#).build()?;
/// let options = ClaimOptions::new()
///     .fingerprint(body)
///     .metadata("request 7")
///     .wait(Duration::from_secs(5));
/// let Claim::Granted(lease) = pay.claim_with("order-42", options)? else { panic!("it is new") };
/// lease.complete("charged")?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClaimOptions {
    pub(crate) wait: Option<Duration>,
    lease: Option<Duration>,
    pub(crate) keep_alive: Option<Duration>,
    /// Boxed, so that a claim that says nothing of these moves little.
    parts: Option<Box<RequestParts>>,
}

impl ClaimOptions {
    /// No fingerprint, no wait, no metadata; lease and retention of the policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The fingerprint of the request; the same key with a different one is a mismatch.
    #[must_use]
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.parts_mut().fingerprint = Some(fingerprint);
        self
    }

    /// Waits for a key in progress, for at most this long; without it the call answers at once.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Bytes that later claims of this key get with their answer, such as a request or trace id.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.parts_mut().metadata = Blob::from(metadata.into());
        self
    }

    /// The name of the claimer, such as a service, a user or a host: at most 256 bytes, without control
    /// characters. It goes into the audit log, if the policy has one, and nowhere else.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.parts_mut().actor = Blob::from(actor.into().into_bytes());
        self
    }

    /// The lease time of this claim.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Lets the store renew the lease for this long from the grant, as
    /// [`Lease::keep_alive`](crate::Lease::keep_alive) does, but without a gap after the grant.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hapax::{Claim, ClaimOptions, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let reports = store.namespace("reports", Policy::at_least_once())?;
    /// let hour = ClaimOptions::new().keep_alive(Duration::from_secs(3600));
    /// let Claim::Granted(lease) = reports.claim_with("2026-01", hour)? else { unreachable!() };
    /// assert!(lease.lease_left() > Duration::from_secs(3000));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    #[must_use]
    pub fn keep_alive(mut self, ceiling: Duration) -> Self {
        self.keep_alive = Some(ceiling);
        self
    }

    /// How long the outcome of this claim is remembered; [`Policy::retention`](crate::Policy::retention) says
    /// how to choose it.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.parts_mut().retention = Some(retention);
        self
    }

    fn parts_mut(&mut self) -> &mut RequestParts {
        self.parts.get_or_insert_default()
    }

    /// What the engine is asked for, under this policy.
    #[inline]
    pub(crate) fn into_request(self, policy: &Policy, limits: &Limits) -> Result<Request> {
        if let Some(parts) = &self.parts {
            check_parts(parts, limits)?;
        }
        let retention = self.parts.as_ref().and_then(|parts| parts.retention);
        if self.lease.is_some() || retention.is_some() {
            let outcome = retention
                .unwrap_or_else(|| policy.retention.min(policy.failed_retention_or_default()));
            let shortest = outcome.min(policy.attempt_retention);
            check_lease(self.lease.unwrap_or(policy.lease), shortest)?;
        }
        let request = Request {
            lease_ms: millis(self.lease.unwrap_or(policy.lease)),
            keep_alive_ms: self.keep_alive.map_or(0, millis),
            parts: self.parts,
        };
        let required = policy.fingerprints == FingerprintPolicy::Required;
        if required && request.fingerprint().is_none() {
            return Err(Error::invalid(
                "the namespace requires a fingerprint with every claim: add one",
            ));
        }
        Ok(request)
    }
}

fn check_parts(parts: &RequestParts, limits: &Limits) -> Result<()> {
    limits.check_metadata(&parts.metadata, "send an id and keep the rest elsewhere")?;
    check_actor(std::str::from_utf8(&parts.actor).expect("it was a text"))?;
    parts.retention.map_or(Ok(()), check_retention)
}

/// One item of a batch of claims.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{BatchClaim, Claim, ClaimItem, ClaimOptions, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let slow = ClaimOptions::new().lease(Duration::from_secs(600));
/// let items = [ClaimItem::new("report").options(slow), ClaimItem::new("mail")];
/// for answer in jobs.claim_many(items)? {
///     let BatchClaim::Claim(Claim::Granted(lease)) = answer else { panic!("both are new") };
///     lease.complete("done")?;
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClaimItem {
    pub(crate) key: KeyBytes,
    pub(crate) options: ClaimOptions,
}

impl ClaimItem {
    /// A claim of this key.
    #[must_use]
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        Self {
            key: KeyBytes::from(key.as_ref()),
            options: ClaimOptions::new(),
        }
    }

    /// The options of this claim; a wait is ignored, because a batch never waits.
    #[must_use]
    pub fn options(mut self, options: ClaimOptions) -> Self {
        self.options = options;
        self
    }
}

impl<K: AsRef<[u8]>> From<K> for ClaimItem {
    fn from(key: K) -> Self {
        Self::new(key)
    }
}
