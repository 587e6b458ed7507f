//! [`Doubt`]: a key whose effect may or may not have happened, and its resolution.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use crate::claim::held::Held;
use crate::claim::local_held::LocalHeld;
use crate::claim::pending::Pending;
use crate::claim::remote_held::RemoteHeld;
use crate::engine::call::granted::Granted;
use crate::engine::intervene::resolve::Settlement;
use crate::engine::refusals::Refused;
use crate::observe::trace::{Decision, decided};
use crate::remote::hold::Hold;
use crate::remote::home::RemoteHome;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::store::handle::{Homes, StoreHome};
use crate::value::attribution::Attribution;
use crate::value::error::{Error, ErrorKind, Result};
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
            held: Held::Local(LocalHeld::new(homes, digest, granted)),
            record,
            holder_alive,
            compared,
        }
    }

    /// As [`of`](Self::of), of a store over a backend.
    pub(crate) fn of_remote(
        home: &RemoteHome,
        record: Arc<Record>,
        holder_alive: bool,
        compared: bool,
    ) -> Self {
        let record = record.into_doubt();
        let hold = Hold::of_doubt(&home.core, &record);
        Self {
            held: Held::Remote(RemoteHeld::new(&home.inner, hold)),
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
        let seeded = self.held.seeded();
        seeded.key_digest(self.held.namespace().id, self.key())
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
        Pending::new(self.start(&resolution, false, None))
    }

    /// Whether it is a doubt of the store of this engine.
    pub(crate) fn is_of(&self, store: &StoreHome) -> bool {
        match (&self.held, store) {
            (Held::Local(held), StoreHome::Local(inner)) => {
                std::ptr::eq(held.engine(), &*inner.engine)
            }
            (Held::Remote(held), StoreHome::Remote(inner)) => {
                Arc::ptr_eq(held.remote(), &inner.remote)
            }
            _ => false,
        }
    }

    pub(crate) fn settle(
        &self,
        resolution: &Resolution,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<()> {
        block_on(self.start(resolution, force, by))
    }

    /// Settles the doubt, or sends that; what is left is to wait for the acknowledgement.
    fn start(
        &self,
        resolution: &Resolution,
        force: bool,
        by: Option<&Attribution>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let settlement = match resolution {
            Resolution::Happened(response) => Settlement::Happened(response),
            Resolution::Failed(error) => Settlement::Failed(error),
            Resolution::NeverHappened => Settlement::NeverHappened,
        };
        let started = match &self.held {
            Held::Local(held) => {
                let engine = held.engine();
                let resolved = engine.resolve(held.named(), self.token(), settlement, force, by);
                let failed = resolved.as_ref().err().map(Refused::kind);
                self.tell(failed, resolution, by);
                Ok((held.clone(), resolved.map(Some)))
            }
            Held::Remote(held) => {
                let (core, key) = (held.namespace(), Remote::key(held.namespace(), self.key()));
                let remote = held.remote();
                let sent = remote.resolve(core, key, self.token(), settlement, force);
                Err((self.clone(), resolution.clone(), by.cloned(), sent))
            }
        };
        async move {
            match started {
                Ok((held, resolved)) => held.acknowledged(resolved).await,
                Err((doubt, resolution, by, sent)) => {
                    let resolved = sent.await;
                    let failed = resolved.as_ref().err().map(Error::kind);
                    doubt.tell(failed, &resolution, by.as_ref());
                    resolved
                }
            }
        }
    }

    /// Tells the trace how a resolution ended.
    fn tell(&self, failed: Option<ErrorKind>, resolution: &Resolution, by: Option<&Attribution>) {
        let decision = || Decision {
            outcome: match (failed, resolution) {
                (Some(kind), _) => kind.name(),
                (None, Resolution::Happened(_)) => "happened",
                (None, Resolution::Failed(_)) => "failed",
                (None, Resolution::NeverHappened) => "never_happened",
            },
            token: Some(self.token()),
            attempt: Some(self.attempt()),
            first_request: self.metadata(),
            actor: by.map(Attribution::actor),
            warns: false,
        };
        decided("resolve", || self.held.subject(), decision);
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
