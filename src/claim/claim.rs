//! [`Claim`]: the one answer to a claim, and what each answer carries.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claim::lease::{Held, Lease};
use crate::claim::pending::Pending;
use crate::engine::intervene::doubt::Settlement;
use crate::observe::trace::{Decision, decided};
use crate::runtime::sync::block_on;
use crate::value::attribution::{Attribution, check_actor};
use crate::value::blob::Blob;
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::key_digest::KeyDigest;
use crate::value::key_state::KeyState;
use crate::value::policy::{check_lease, check_retention};
use crate::value::record::Record;

/// What a claim is answered. Exhaustive on purpose: every outcome is handled.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum Claim {
    /// Run it. The key is yours until the lease is settled or lapses.
    Granted(Lease),
    /// Someone runs it: come back later.
    InProgress(InProgress),
    /// It ran: here is the stored response.
    Completed(Completed),
    /// It failed for good: here is the stored error.
    Failed(Failed),
    /// Nobody knows whether it ran; it will not be started again before that is resolved.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
}

/// An answer within a batch.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new answer has to break the code that does not handle it"
)]
#[derive(Debug)]
#[must_use = "a grant that is dropped gives its key up"]
pub enum BatchClaim {
    /// As for a claim of its own.
    Claim(Claim),
    /// The key stands earlier in the batch.
    RepeatOf {
        /// Where it stands.
        index: usize,
        /// Whether the fingerprint there is another one.
        mismatch: bool,
    },
    /// The store cannot answer this item: it has no room for it, or was closed or poisoned before the
    /// batch had its end.
    Refused(Error),
}

/// Someone runs the key.
#[derive(Clone)]
pub struct InProgress {
    pub(crate) lease_left: Duration,
    pub(crate) attempt: u32,
    pub(crate) metadata: Blob,
    pub(crate) compared: bool,
}

impl InProgress {
    /// When it makes sense to come back, at the latest.
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        self.lease_left
    }

    /// Which attempt is running.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The metadata of the claim that runs it.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Whether the fingerprints were compared, and found the same.
    #[must_use]
    pub fn fingerprint_compared(&self) -> bool {
        self.compared
    }
}

impl fmt::Debug for InProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProgress")
            .field("lease_left", &self.lease_left)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

macro_rules! stored_answer {
    ($name:ident, $doc:literal, $body:ident, $body_doc:literal, $omitted:ident) => {
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $name {
            pub(crate) record: Arc<Record>,
            pub(crate) compared: bool,
        }

        impl $name {
            #[doc = $body_doc]
            #[must_use]
            pub fn $body(&self) -> &[u8] {
                &self.record.body
            }

            #[doc = concat!("The bytes of the ", stringify!($body), ", shared and not copied.")]
            #[must_use]
            pub fn into_bytes(self) -> Arc<[u8]> {
                self.record.body.clone().into_shared()
            }

            /// Whether the bytes were left out because they were over the limit of the policy.
            #[must_use]
            pub fn $omitted(&self) -> bool {
                self.record.head.body_omitted
            }

            /// Runs that it took.
            #[must_use]
            pub fn attempts(&self) -> u32 {
                self.record.head.attempt
            }

            /// The token under which it was settled.
            #[must_use]
            pub fn token(&self) -> FencingToken {
                self.record.head.token
            }

            /// Store time of the first claim, in seconds since 1970.
            #[must_use]
            pub fn first_claimed_at(&self) -> u64 {
                u64::from(self.record.head.first_claimed_at)
            }

            /// Store time at which it was settled, in seconds since 1970.
            #[must_use]
            pub fn settled_at(&self) -> u64 {
                u64::from(self.record.head.recorded_at)
            }

            /// Store time until which it is remembered, in seconds since 1970.
            #[must_use]
            pub fn expires_at(&self) -> u64 {
                u64::from(self.record.head.expires_at)
            }

            /// The metadata of the first claim of the request.
            #[must_use]
            pub fn metadata(&self) -> &[u8] {
                &self.record.metadata
            }

            /// Whether the fingerprints were compared, and found the same.
            #[must_use]
            pub fn fingerprint_compared(&self) -> bool {
                self.compared
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("bytes", &self.record.body.len())
                    .field("attempts", &self.attempts())
                    .field("token", &self.token())
                    .finish_non_exhaustive()
            }
        }

        #[cfg(feature = "bytes")]
        impl From<$name> for bytes::Bytes {
            fn from(answer: $name) -> Self {
                bytes::Bytes::from_owner(answer.into_bytes())
            }
        }
    };
}

stored_answer!(
    Completed,
    "The stored response of a key that ran.",
    response,
    "The stored response.",
    response_omitted
);
stored_answer!(
    Failed,
    "The stored error of a key that failed for good.",
    error,
    "The stored error.",
    error_omitted
);

/// The key was used for another request.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub(crate) labels: Vec<String>,
    pub(crate) state: KeyState,
}

impl Mismatch {
    /// The labels of the parts that differ; empty when one side has no fingerprint at all.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What the key is.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }
}

/// Nobody knows whether the key's effect happened.
#[derive(Clone)]
pub struct Doubt {
    pub(crate) held: Held,
    pub(crate) record: Arc<Record>,
    pub(crate) holder_alive: bool,
    pub(crate) compared: bool,
}

/// How a doubt is settled.
#[expect(
    clippy::exhaustive_enums,
    reason = "a doubt is settled in one of these ways"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// The effect happened; this is the response.
    Happened(Vec<u8>),
    /// It failed for good; this is the error.
    Failed(Vec<u8>),
    /// It never happened: the key can be claimed again.
    NeverHappened,
}

impl Doubt {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.held.key()
    }

    /// The name of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.held.namespace().name
    }

    /// What stands for the key in logs and audits.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        let engine = self.held.engine();
        engine
            .seeded
            .key_digest(self.held.namespace().id, self.key())
    }

    /// The token of the holder that left the doubt.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.record.head.token
    }

    /// Which attempt left it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.record.head.attempt
    }

    /// Why it is in doubt: what the holder said, or that it dropped its lease, let it lapse, or ended
    /// with its process.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.record.reason
    }

    /// The metadata of the first claim of the request.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.record.metadata
    }

    /// The last checkpoint; empty when there was none.
    #[must_use]
    pub fn checkpoint(&self) -> &[u8] {
        &self.record.body
    }

    /// The fingerprint of the request that ran.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.record.fingerprint.as_ref()
    }

    /// Store time of the last thing that is known of it, in seconds since 1970.
    #[must_use]
    pub fn since(&self) -> u64 {
        u64::from(self.record.head.recorded_at)
    }

    /// Whether the holder's lease is still there in this process, so that the effect may yet come.
    #[must_use]
    pub fn holder_alive(&self) -> bool {
        self.holder_alive
    }

    /// Whether the fingerprints were compared, and found the same.
    #[must_use]
    pub fn fingerprint_compared(&self) -> bool {
        self.compared
    }

    /// The key that the holder used downstream under this label, to look the effect up there.
    #[must_use]
    pub fn derived_key(&self, label: &str) -> String {
        self.held.derived_key(label)
    }

    /// Settles the doubt.
    ///
    /// # Errors
    /// [`Superseded`](crate::ErrorKind::Superseded) when it was settled meanwhile,
    /// [`InUse`](crate::ErrorKind::InUse) for `NeverHappened` while its
    /// [holder is alive](Self::holder_alive), [`TooLarge`](crate::ErrorKind::TooLarge), and
    /// whatever keeps the store from answering.
    pub fn resolve(&self, resolution: Resolution) -> Result<()> {
        self.settle(&resolution, false, None)
    }

    /// As [`resolve`](Self::resolve), also while the holder is alive: only where something else
    /// makes sure that it has stopped.
    ///
    /// # Errors
    /// As for [`resolve`](Self::resolve).
    pub fn resolve_forced(&self, resolution: Resolution) -> Result<()> {
        self.settle(&resolution, true, None)
    }

    /// As [`resolve`](Self::resolve); it takes effect at once, and the future only waits for the
    /// acknowledgement.
    pub fn resolve_async(&self, resolution: Resolution) -> Pending<Result<()>> {
        let started = self.start(&resolution, false, None);
        let held = self.held.clone();
        Pending::new(async move {
            let sync = held.engine().is_sync(held.namespace());
            match started {
                Ok(frame) => held.engine().acknowledge(sync, Some(frame)).await,
                Err(error) => Err(held.engine().refuse(error).await),
            }
        })
    }

    pub(crate) fn settle(
        &self,
        resolution: &Resolution,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<()> {
        let engine = self.held.engine();
        let frame = self
            .start(resolution, force, by)
            .map_err(|error| block_on(engine.refuse(error)))?;
        block_on(engine.acknowledge(engine.is_sync(self.held.namespace()), Some(frame)))
    }

    /// Carries the resolution out; what is left is to wait for the frame.
    fn start(&self, resolution: &Resolution, force: bool, by: Option<&Attribution>) -> Result<u64> {
        let settlement = match resolution {
            Resolution::Happened(response) => Settlement::Happened(response),
            Resolution::Failed(error) => Settlement::Failed(error),
            Resolution::NeverHappened => Settlement::NeverHappened,
        };
        let engine = self.held.engine();
        let resolved = engine.resolve(self.held.named(), self.token(), settlement, force, by);
        let decision = || Decision {
            outcome: match (&resolved, resolution) {
                (Err(error), _) => error.kind().name(),
                (Ok(_), Resolution::Happened(_)) => "happened",
                (Ok(_), Resolution::Failed(_)) => "failed",
                (Ok(_), Resolution::NeverHappened) => "never_happened",
            },
            token: Some(self.token()),
            attempt: Some(self.attempt()),
            first_request: self.metadata(),
            actor: by.map(Attribution::actor),
            warns: false,
        };
        let subject = || engine.subject(self.held.namespace(), self.key());
        decided("resolve", subject, decision);
        resolved
    }
}

impl fmt::Debug for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doubt")
            .field("namespace", &self.namespace())
            .field("token", &self.token())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// What a claim asks for beside its key.
#[derive(Clone, Debug, Default)]
pub struct ClaimOptions {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) wait: Option<Duration>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) actor: String,
    pub(crate) lease: Option<Duration>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) retention: Option<Duration>,
}

impl ClaimOptions {
    /// No fingerprint, no wait, no metadata; lease and retention of the policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the request looks like; the same key with another one is a mismatch.
    #[must_use]
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Waits for a key that someone runs, for at most this long; without it the call answers at
    /// once.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Bytes for whoever meets this key while it runs and after: a request or trace id, say.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// Who claims: a service, a user, a host. It goes into the audit log, where the policy has one,
    /// and nowhere else. At most 256 bytes, without control characters.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = actor.into();
        self
    }

    /// The lease time of this claim.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Lets the store renew the lease by itself, for this long from the grant: as
    /// [`Lease::keep_alive`](crate::Lease::keep_alive) right after it, but nothing can come between.
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

    /// How long the outcome of this claim is remembered: at least as long as
    /// [`Policy::retention`](crate::Policy::retention) says that it has to be.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    pub(crate) fn check(
        &self,
        policy: &crate::value::policy::Policy,
        metadata_limit: usize,
    ) -> Result<()> {
        if self.metadata.len() > metadata_limit {
            return Err(Error::too_large(
                "the metadata",
                self.metadata.len(),
                metadata_limit,
                "send an id and keep the rest elsewhere",
            ));
        }
        check_actor(&self.actor)?;
        if let Some(retention) = self.retention {
            check_retention(retention)?;
        }
        if self.lease.is_some() || self.retention.is_some() {
            let outcome = self
                .retention
                .unwrap_or_else(|| policy.retention.min(policy.failed_retention_or_default()));
            let shortest = outcome.min(policy.attempt_retention);
            check_lease(self.lease.unwrap_or(policy.lease), shortest)?;
        }
        let required = policy.fingerprints == crate::value::comparison::FingerprintPolicy::Required;
        if required && self.fingerprint.is_none() {
            return Err(Error::invalid(
                "the namespace requires a fingerprint with every claim: add one",
            ));
        }
        Ok(())
    }
}

/// One item of a batch of claims.
#[derive(Clone, Debug)]
pub struct ClaimItem {
    pub(crate) key: Vec<u8>,
    pub(crate) options: ClaimOptions,
}

impl ClaimItem {
    /// A claim of this key.
    #[must_use]
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        Self {
            key: key.as_ref().to_vec(),
            options: ClaimOptions::new(),
        }
    }

    /// What it asks for; a wait is ignored, because a batch never waits.
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
