//! [`Doubt`]: a key whose effect may or may not have happened, and its resolution.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::claim::held::Held;
use crate::claim::pending::Pending;
use crate::engine::call::granted::Granted;
use crate::engine::engine::Engine;
use crate::engine::intervene::resolve::Settlement;
use crate::engine::refusals::Refused;
use crate::observe::trace::{Decision, decided};
use crate::runtime::sync::block_on;
use crate::store::handle::Homes;
use crate::value::attribution::Attribution;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::key_digest::KeyDigest;
use crate::value::record::Record;
use crate::value::time::system_time;

/// A key in doubt: its effect may or may not have happened.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Resolution, Store};
///
/// let store = Store::in_memory().allow_at_most_once().open()?;
/// let pay = store.namespace("pay", Policy::at_most_once())?;
/// let Claim::Granted(lease) = pay.claim("order-42")? else { panic!("it is new") };
/// let charge_id = lease.derived_key("charge");
/// lease.doubt("the provider timed out")?;
///
/// let Claim::InDoubt(doubt) = pay.claim("order-42")? else { panic!("it may have run") };
/// assert_eq!(doubt.reason(), b"the provider timed out");
/// assert_eq!(doubt.derived_key("charge"), charge_id, "look it up at the provider");
/// doubt.resolve(Resolution::Happened(b"receipt".to_vec()))?;
/// assert!(pay.contains("order-42")?);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Doubt {
    held: Held,
    record: Arc<Record>,
    holder_alive: bool,
    compared: bool,
}

/// How a doubt is settled.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Resolution, Store};
///
/// /// What the provider says of a charge: done, refused, or never seen.
/// fn look_up(charge_id: &str) -> Option<Result<String, String>> {
///     # let _ = charge_id;
///     None
/// }
///
/// let store = Store::in_memory().allow_at_most_once().open()?;
/// let pay = store.namespace("pay", Policy::at_most_once())?;
/// let Claim::Granted(lease) = pay.claim("order-42")? else { panic!("it is new") };
/// lease.doubt("the provider timed out")?;
/// store.reconcile(|doubt| {
///     Some(match look_up(&doubt.derived_key("charge")) {
///         Some(Ok(receipt)) => Resolution::Happened(receipt.into_bytes()),
///         Some(Err(refusal)) => Resolution::Failed(refusal.into_bytes()),
///         None => Resolution::NeverHappened,
///     })
/// })?;
/// assert!(matches!(pay.claim("order-42")?, Claim::Granted(_)));
/// # Ok::<(), hapax::Error>(())
/// ```
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
    pub(crate) fn of(
        homes: &Homes,
        record: Arc<Record>,
        holder_alive: bool,
        compared: bool,
    ) -> Self {
        let record = record.into_doubt();
        let granted = Granted::of_record(&record);
        let digest = homes.engine().digest(homes.core(), &record.key);
        Self {
            held: Held::new(homes, digest, granted),
            record,
            holder_alive,
            compared,
        }
    }

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

    /// The digest that stands for the key in logs and audits.
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

    /// The number of the attempt that left the doubt.
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

    /// The last checkpoint; empty without one.
    #[must_use]
    pub fn checkpoint(&self) -> &[u8] {
        &self.record.body
    }

    /// The fingerprint of the request that ran.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.record.fingerprint.as_ref()
    }

    /// Store time of the last transition of the key, in whole seconds.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        system_time(self.record.head.recorded_at)
    }

    /// Whether the holder is alive in this process, so that the effect may still happen.
    #[must_use]
    pub fn holder_alive(&self) -> bool {
        self.holder_alive
    }

    /// Whether the fingerprints were compared, and found the same.
    #[must_use]
    pub fn fingerprint_compared(&self) -> bool {
        self.compared
    }

    /// The key that [`Lease::derived_key`](crate::Lease::derived_key) gave the holder for this label: look the
    /// effect up under it.
    #[must_use]
    pub fn derived_key(&self, label: &str) -> String {
        self.held.derived_key(label)
    }

    /// Settles the doubt.
    ///
    /// # Errors
    /// [`Superseded`](crate::ErrorKind::Superseded) when it was settled meanwhile,
    /// [`InUse`](crate::ErrorKind::InUse) for `NeverHappened` while its
    /// [holder is alive](Self::holder_alive), [`TooLarge`](crate::ErrorKind::TooLarge), and every
    /// error of a store that cannot answer.
    pub fn resolve(&self, resolution: Resolution) -> Result<()> {
        self.settle(&resolution, false, None)
    }

    /// As [`resolve`](Self::resolve); it takes effect at once, and the future only waits for the
    /// acknowledgement.
    pub fn resolve_async(&self, resolution: Resolution) -> Pending<Result<()>> {
        let resolved = self.start(&resolution, false, None);
        let held = self.held.clone();
        Pending::new(async move { held.acknowledged(resolved).await })
    }

    /// Whether it is a doubt of the store of this engine.
    pub(crate) fn is_of(&self, engine: &Engine) -> bool {
        std::ptr::eq(self.held.engine(), engine)
    }

    pub(crate) fn settle(
        &self,
        resolution: &Resolution,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<()> {
        block_on(self.held.acknowledged(self.start(resolution, force, by)))
    }

    /// Carries the resolution out; afterwards only the wait for its frame is left.
    fn start(
        &self,
        resolution: &Resolution,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<Option<u64>, Refused> {
        let settlement = match resolution {
            Resolution::Happened(response) => Settlement::Happened(response),
            Resolution::Failed(error) => Settlement::Failed(error),
            Resolution::NeverHappened => Settlement::NeverHappened,
        };
        let engine = self.held.engine();
        let resolved = engine.resolve(self.held.named(), self.token(), settlement, force, by);
        let decision = || Decision {
            outcome: match (&resolved, resolution) {
                (Err(refused), _) => refused.kind().name(),
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
        resolved.map(Some)
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
