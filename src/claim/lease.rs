//! [`Lease`]: the right, and the duty, to give a key its outcome.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::claim::held::Held;
use crate::claim::pending::Pending;
use crate::claim::to_stored::{ToStored, unstorable};
use crate::engine::refusals::Refused;
use crate::observe::trace::{Decision, Operation, decided};
use crate::remote::receipt::Receipt;
use crate::runtime::begun::Begun;
use crate::state::transition::Command;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::time::{millis, system_time};

/// The right, and the duty, to give a key its outcome.
///
/// One of [`complete`](Self::complete), [`fail`](Self::fail), [`release`](Self::release) and
/// [`doubt`](Self::doubt) settles it. Each acts under the lease's [`token`](Self::token), takes
/// effect when it is called, and returns when it is acknowledged; the `_async` forms take effect
/// when they are called as well, and their futures only wait.
///
/// A lease that is dropped without an outcome, by an early return or a panic, releases its key
/// under at-least-once and leaves it in doubt under at-most-once. Dropping neither waits nor does
/// I/O. A lapsed lease can still settle its key until another caller takes the key over.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// if let Claim::Granted(lease) = jobs.claim("report-2026-01")? {
///     let response = format!("made under token {}", lease.token());
///     lease.complete(response)?;
/// }
/// assert!(matches!(jobs.claim("report-2026-01")?, Claim::Completed(_)));
/// # Ok::<(), hapax::Error>(())
/// ```
#[must_use = "a lease that is dropped without an outcome gives its key up"]
pub struct Lease {
    held: Held,
    /// Dropping it settles the key.
    armed: bool,
    /// It lies in an [`Error`]: dropping it leaves the key to its lease.
    refused: bool,
}

impl Lease {
    #[inline]
    pub(crate) fn new(held: Held) -> Self {
        Self {
            held,
            armed: true,
            refused: false,
        }
    }

    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    pub(crate) fn guarantee(&self) -> Guarantee {
        self.held.namespace().policy.guarantee
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

    /// The fencing token: higher than every token granted before, in the life of the store.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.held.granted().token
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.held.granted().attempt
    }

    /// Store time of the first claim of the key, in whole seconds.
    #[must_use]
    pub fn first_claimed_at(&self) -> SystemTime {
        system_time(self.held.granted().first_claimed_at)
    }

    /// The last checkpoint that an earlier attempt stored with [`checkpoint`](Self::checkpoint); empty
    /// without one.
    #[must_use]
    pub fn last_checkpoint(&self) -> &[u8] {
        self.held.granted().checkpoint()
    }

    /// The reason of the last release; empty without one.
    #[must_use]
    pub fn last_reason(&self) -> &[u8] {
        self.held.granted().reason()
    }

    /// A key for a downstream system that deduplicates: the same across attempts and restarts, different for
    /// each label, and impossible to guess from outside.
    #[must_use]
    pub fn derived_key(&self, label: &str) -> String {
        self.held.derived_key(label)
    }

    /// How long the lease still runs; zero once it has lapsed or is no longer current.
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        Duration::from_millis(self.held.lease_left_ms())
    }

    /// Stores the response. Later claims of the key are answered with it.
    ///
    /// # Errors
    /// Each gives the lease back, by [`Error::into_lease`]. [`Superseded`](crate::ErrorKind::Superseded) when the key was
    /// taken over, [`NotHeld`](crate::ErrorKind::NotHeld) when it is gone,
    /// [`AlreadySettled`](crate::ErrorKind::AlreadySettled) when it was settled otherwise under
    /// this token, [`TooLarge`](crate::ErrorKind::TooLarge),
    /// [`Invalid`](crate::ErrorKind::Invalid) for a value that has no bytes,
    /// [`Poisoned`](crate::ErrorKind::Poisoned), [`Closed`](crate::ErrorKind::Closed).
    #[inline]
    pub fn complete(self, response: impl ToStored) -> Result<()> {
        self.store(
            response.to_stored(),
            |said| Command::Complete(said),
            Asked::Now,
        )
        .wait()
    }

    /// Stores a final error. Later claims of the key are answered with it.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    #[inline]
    pub fn fail(self, error: impl ToStored) -> Result<()> {
        self.store(error.to_stored(), |said| Command::Fail(said), Asked::Now)
            .wait()
    }

    /// Gives the key up so that it can be tried again; the attempts are counted, and the reason is
    /// kept. The last attempt that the policy allows is a final failure instead.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    #[inline]
    pub fn release(self, reason: impl AsRef<[u8]>) -> Result<()> {
        self.settle(Command::Release(reason.as_ref()), Asked::Now)
            .wait()
    }

    /// Puts the key in doubt: its effect may or may not have happened. The doubt lasts until it is resolved.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub fn doubt(self, reason: impl AsRef<[u8]>) -> Result<()> {
        self.settle(Command::Doubt(reason.as_ref()), Asked::Now)
            .wait()
    }

    /// Takes the grant back: no work was begun under it. The key is what it was before the claim, no attempt
    /// is counted, and nothing is in doubt. Callers that wait for the key are decided again.
    ///
    /// Of a lease that a ticket became, it says so of the holder before [`detach`](Self::detach) too.
    ///
    /// It waits for nothing. Where the grant was not the last one of its key any more, nothing changes.
    pub fn withdraw(mut self) {
        self.armed = false;
        self.held.withdraw();
    }

    /// As [`complete`](Self::complete); the future only waits for the acknowledgement.
    pub fn complete_async(self, response: impl ToStored) -> Pending<Result<()>> {
        self.store(
            response.to_stored(),
            |said| Command::Complete(said),
            Asked::WhenPolled,
        )
        .into()
    }

    /// As [`fail`](Self::fail); the future only waits for the acknowledgement.
    pub fn fail_async(self, error: impl ToStored) -> Pending<Result<()>> {
        self.store(
            error.to_stored(),
            |said| Command::Fail(said),
            Asked::WhenPolled,
        )
        .into()
    }

    /// As [`release`](Self::release); the future only waits for the acknowledgement.
    pub fn release_async(self, reason: impl AsRef<[u8]>) -> Pending<Result<()>> {
        self.settle(Command::Release(reason.as_ref()), Asked::WhenPolled)
            .into()
    }

    /// As [`doubt`](Self::doubt); the future only waits for the acknowledgement.
    pub fn doubt_async(self, reason: impl AsRef<[u8]>) -> Pending<Result<()>> {
        self.settle(Command::Doubt(reason.as_ref()), Asked::WhenPolled)
            .into()
    }

    /// Renews the lease: it lasts for its whole time again, from now.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete), and [`InUse`](crate::ErrorKind::InUse) when it has
    /// lapsed under at-most-once: the key is in doubt then.
    pub fn renew(&self) -> Result<()> {
        self.held.do_and_wait(Command::Renew)
    }

    /// Lets the store renew the lease for this long from now, or until the lease ends.
    ///
    /// # Errors
    /// As for [`renew`](Self::renew).
    pub fn keep_alive(&self, ceiling: Duration) -> Result<()> {
        self.held.do_and_wait(Command::KeepAlive {
            for_ms: millis(ceiling),
        })
    }

    /// Stores up to 16 KiB from which the next attempt can go on, in place of the last checkpoint.
    ///
    /// # Errors
    /// As for [`renew`](Self::renew), and [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn checkpoint(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.held.do_and_wait(Command::Checkpoint(bytes.as_ref()))
    }

    /// As [`checkpoint`](Self::checkpoint); it is stored at once, and the future only waits for the
    /// acknowledgement.
    pub fn checkpoint_async(&self, bytes: impl AsRef<[u8]>) -> Pending<Result<()>> {
        let command = Command::Checkpoint(bytes.as_ref());
        match &self.held {
            Held::Local(held) => {
                let (stored, held) = (held.act(command), held.clone());
                Pending::new(async move { held.acknowledged(stored).await })
            }
            Held::Remote(held) => Pending::new(held.act(command)),
        }
    }

    /// Whether the lease has lapsed, or its token is no longer current: the work should stop.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.held.is_lost()
    }

    /// Ends when the lease [is lost](Self::is_lost).
    pub fn lost(&self) -> Pending<()> {
        Pending::new(self.held.clone().lost())
    }

    /// Nothing settles the key by itself any more: a ticket has taken the place of this lease.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
        self.held.disarm();
    }

    /// Settles the key with an outcome that may have no bytes.
    fn store(
        self,
        said: Result<Cow<'_, [u8]>, Box<dyn StdError + Send + Sync>>,
        command: fn(&[u8]) -> Command<'_>,
        asked: Asked,
    ) -> Begun<Result<()>, impl Future<Output = Result<()>> + Send + use<>> {
        match said {
            Ok(bytes) => self.settle(command(&bytes), asked),
            Err(cause) => Begun::Ready(Err(self.refused(unstorable(cause, HELD)))),
        }
    }

    /// Settles the key; what is left is to wait for the acknowledgement.
    #[inline]
    pub(crate) fn settle(
        self,
        command: Command<'_>,
        asked: Asked,
    ) -> Begun<Result<()>, impl Future<Output = Result<()>> + Send + use<>> {
        let operation = Operation::begin(command.name(), || self.held.subject());
        operation.run(|| match self.settle_now(command, asked) {
            Settlement::Done(settled) => Begun::Ready(settled),
            Settlement::Waits(started, began_ns) => {
                Begun::Waits(operation.follow(started.settled(began_ns)))
            }
        })
    }

    /// Settles the key up to the first wait; what is left of it, and when it began.
    #[inline]
    fn settle_now(mut self, command: Command<'_>, asked: Asked) -> Settlement {
        let Held::Local(held) = &self.held else {
            return self.start(command).at_once(None);
        };
        let began_ns = held.engine().begin_settlement(held.named());
        let acted = held.act(command);
        self.armed &= acted.is_err();
        let is_done = |frame: &Option<u64>| asked == Asked::Now && held.is_acknowledged(*frame);
        if acted.as_ref().is_ok_and(is_done) {
            held.engine().end_settlement(held.named(), began_ns);
            return Settlement::Done(Ok(()));
        }
        self.started(acted).at_once(began_ns)
    }

    /// Carries the command out, or sends it; what is left is to wait.
    #[inline]
    pub(crate) fn start(mut self, command: Command<'_>) -> Started {
        match &self.held {
            Held::Local(held) => {
                let acted = held.act(command);
                self.armed &= acted.is_err();
                self.started(acted)
            }
            Held::Remote(held) => {
                if let Err(refused) = held.check(command) {
                    return self.started(Err(refused.into()));
                }
                let receipt = held.act(command);
                self.armed = false;
                Started::Sent(Box::new((self, receipt)))
            }
        }
    }

    #[inline]
    fn started(self, acted: Result<Option<u64>, Refused>) -> Started {
        match acted {
            Ok(frame) => Started::Acted(self, frame),
            Err(refused) => Started::Refused(RefusedLease {
                refused,
                lease: self.refuse(),
            }),
        }
    }

    /// The refusal of an outcome that has no bytes.
    pub(crate) fn unstorable(self, cause: Box<dyn StdError + Send + Sync>) -> Started {
        Started::Refused(RefusedLease {
            refused: unstorable(cause, HELD).into(),
            lease: self.refuse(),
        })
    }

    /// Gives up the duty to settle the key, as a lease in an [`Error`] has.
    fn refuse(mut self) -> Box<Self> {
        self.armed = false;
        self.refused = true;
        Box::new(self)
    }

    /// The error of a call on this lease, which gives it back.
    pub(crate) fn refused(self, error: Error) -> Error {
        error.with_lease(self.refuse())
    }
}

const HELD: &str = "the key is still held, so settle it otherwise";

/// A command of a holder that was carried out or sent, and may have a wait left.
pub(crate) enum Started {
    /// In this process: the acknowledgement waits for this frame.
    Acted(Lease, Option<u64>),
    /// To a backend. It is boxed, so that the others stay small.
    Sent(Box<(Lease, Receipt<()>)>),
    Refused(RefusedLease),
}

/// A settlement up to its first wait.
enum Settlement {
    Done(Result<()>),
    /// What is left of it, and when it began.
    Waits(Started, Option<u64>),
}

impl Started {
    /// A refusal that rests on nothing is told at once.
    fn at_once(self, began_ns: Option<u64>) -> Settlement {
        match self {
            Self::Refused(refused) => match refused.at_once() {
                Ok(error) => Settlement::Done(Err(error)),
                Err(refused) => Settlement::Waits(Self::Refused(refused), began_ns),
            },
            started => Settlement::Waits(started, began_ns),
        }
    }

    /// Waits for the acknowledgement.
    pub(crate) async fn acknowledged(self) -> Result<()> {
        match self {
            Self::Acted(lease, frame) => lease.acknowledged(frame).await,
            Self::Sent(sent) => answered(*sent).await,
            Self::Refused(refused) => Err(refused.rested().await),
        }
    }

    /// As [`acknowledged`](Self::acknowledged), of a settlement whose time is taken.
    async fn settled(self, began_ns: Option<u64>) -> Result<()> {
        match self {
            Self::Acted(lease, frame) => lease.settled(frame, began_ns).await,
            Self::Sent(sent) => answered(*sent).await,
            Self::Refused(refused) => Err(refused.rested().await),
        }
    }
}

/// Waits for the answer of a backend.
async fn answered((lease, receipt): (Lease, Receipt<()>)) -> Result<()> {
    receipt.await.map_err(|error| lease.refused(error))
}

impl Lease {
    /// Waits for the acknowledgement of a command that was carried out in this process.
    async fn acknowledged(self, frame: Option<u64>) -> Result<()> {
        let Held::Local(held) = &self.held else {
            return Ok(());
        };
        if held.is_acknowledged(frame) {
            return Ok(());
        }
        let acknowledged = held.acknowledged(Ok(frame)).await;
        acknowledged.map_err(|error| self.refused(error))
    }

    /// As [`acknowledged`](Self::acknowledged), of a settlement whose time is taken.
    async fn settled(self, frame: Option<u64>, began_ns: Option<u64>) -> Result<()> {
        let Held::Local(held) = &self.held else {
            return Ok(());
        };
        let engine = held.engine();
        if held.is_acknowledged(frame) {
            engine.end_settlement(held.named(), began_ns);
            return Ok(());
        }
        // What waits for the medium is timed, whether it is one of the sample or not.
        let began_ns = began_ns.or_else(|| engine.clock_ns());
        match held.acknowledged(Ok(frame)).await {
            Ok(()) => {
                engine.end_settlement(held.named(), began_ns);
                Ok(())
            }
            Err(error) => Err(self.refused(error)),
        }
    }
}

/// A call of a holder that was refused, whose error may not be told yet.
pub(crate) struct RefusedLease {
    refused: Refused,
    lease: Box<Lease>,
}

impl RefusedLease {
    /// The error, where the refusal rests on nothing.
    fn at_once(self) -> Result<Error, Self> {
        let lease = self.lease;
        match self.refused.at_once() {
            Ok(error) => Ok(error.with_lease(lease)),
            Err(refused) => Err(Self { refused, lease }),
        }
    }

    /// The error, once what the refusal rests on is on the medium.
    pub(crate) async fn rested(self) -> Error {
        let RefusedLease { refused, lease } = self;
        let error = match (&lease.held, refused.at_once()) {
            (_, Ok(error)) => error,
            (Held::Local(held), Err(refused)) => held.engine().refuse(refused).await,
            (Held::Remote(_), Err(refused)) => refused.untold(),
        };
        error.with_lease(lease)
    }
}

/// When a settlement is asked whether it is acknowledged. A future is asked when it is polled, as a
/// write may have failed since the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Now,
    WhenPolled,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.armed {
            self.held.abandon();
            decided(
                "drop",
                || self.held.subject(),
                || Decision {
                    warns: true,
                    ..self.held.decision("dropped")
                },
            );
        } else if self.refused {
            self.held.let_run_out();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("namespace", &self.namespace())
            .field("token", &self.token())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

impl Error {
    /// Takes back the lease of a call that could not be carried out, with its duty to settle the key.
    ///
    /// Dropping the error never releases the key: the lease inside runs on until it lapses, and is not kept
    /// alive any more. Until then the error keeps the store open, as the lease did. An error of kind
    /// [`Poisoned`](ErrorKind::Poisoned), [`Closed`](ErrorKind::Closed) or [`Forked`](ErrorKind::Forked) has no
    /// lease, since nothing can be settled any more.
    ///
    /// # Errors
    /// This error, where it has no lease.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, ErrorKind, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let policy = Policy::at_least_once().max_response(8);
    /// let jobs = store.namespace("jobs", policy)?;
    /// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
    /// let refused = lease.complete("far too long a response").unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::TooLarge);
    /// refused.into_lease()?.complete("a link")?;
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn into_lease(mut self) -> Result<Lease> {
        let Some(mut lease) = self.take_detail::<Lease>() else {
            return Err(self);
        };
        lease.armed = true;
        lease.refused = false;
        Ok(*lease)
    }

    fn with_lease(self, lease: Box<Lease>) -> Self {
        match self.kind() {
            ErrorKind::Poisoned | ErrorKind::Closed | ErrorKind::Forked => self,
            _ => self.with_detail(lease),
        }
    }

    /// The error alone: its lease runs out.
    pub(crate) fn without_lease(mut self) -> Self {
        drop(self.take_detail::<Lease>());
        self
    }
}
