//! `run_once`: claim, run, and settle, in one call.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::claim::answer::{Completed, Failed, InProgress, Mismatch};
use crate::claim::claim::Claim;
use crate::claim::doubt::Doubt;
use crate::claim::held::Held;
use crate::claim::lease::{Lease, LeaseError};
use crate::claim::options::ClaimOptions;
use crate::store::namespace::Namespace;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;

/// How long `run_once` keeps a lease alive at the most.
pub const RUN_CEILING: Duration = Duration::from_secs(60 * 60);

/// A result that can be stored and given back.
pub trait StoredValue: Sized {
    /// The bytes to store.
    fn to_bytes(&self) -> Vec<u8>;

    /// The value of stored bytes.
    ///
    /// # Errors
    /// Bytes that are no such value.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>>;
}

impl StoredValue for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(bytes.to_vec())
    }
}

impl StoredValue for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::from_utf8(bytes.to_vec())?)
    }
}

impl StoredValue for () {
    fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

/// How a result becomes bytes and comes back; typed values bring one of their own.
pub(crate) struct Codec<T> {
    pub(crate) encode: fn(&T) -> Result<Vec<u8>>,
    pub(crate) decode: fn(&Completed) -> Result<T>,
}

impl<T: StoredValue> Codec<T> {
    fn of_response() -> Self {
        Self {
            encode: |value| Ok(value.to_bytes()),
            decode: decode_response,
        }
    }
}

/// What `run_once` came to. Exhaustive on purpose: every outcome is handled.
#[expect(
    clippy::exhaustive_enums,
    reason = "a new outcome has to break the code that does not handle it"
)]
#[derive(Debug)]
pub enum Ran<T> {
    /// The work ran, and its result is stored.
    Executed(T),
    /// It ran before; this is the stored result.
    Replayed(T),
    /// Someone runs it.
    InProgress(InProgress),
    /// It failed for good before.
    Failed(Failed),
    /// Nobody knows whether it ran.
    InDoubt(Doubt),
    /// The key was used for another request.
    Mismatch(Mismatch),
    /// The work ran, but the key was lost meanwhile: the result is here, and not stored.
    Superseded(T),
}

/// How work failed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// For good: later calls are answered with this error.
    Final(E),
    /// It may be tried again.
    Retry(E),
    /// Nobody knows whether its effect happened.
    Unknown(E),
    /// The guarantee decides: tried again under at-least-once, unknown under at-most-once. This is
    /// what `?` makes of an error.
    ByGuarantee(E),
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::ByGuarantee(error)
    }
}

/// Why `run_once` has no outcome.
#[expect(clippy::exhaustive_enums, reason = "it is one or the other")]
#[derive(Debug)]
pub enum RunError<E> {
    /// The store could not answer, or could not store the outcome.
    Store(Error),
    /// The work failed; the store knows how.
    Work(E),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => fmt::Display::fmt(error, f),
            Self::Work(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for RunError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Work(_) => None,
        }
    }
}

impl<E> From<Error> for RunError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What work that runs is told.
pub struct Run {
    held: Held,
}

impl Run {
    /// The fencing token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.held.granted.token
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.held.granted.attempt
    }

    /// What the attempt before stored with [`checkpoint`](Self::checkpoint).
    #[must_use]
    pub fn last_checkpoint(&self) -> &[u8] {
        &self.held.granted.checkpoint
    }

    /// The reason of the last failure that could be tried again.
    #[must_use]
    pub fn last_reason(&self) -> &[u8] {
        &self.held.granted.reason
    }

    /// As [`Lease::derived_key`].
    #[must_use]
    pub fn derived_key(&self, label: &str) -> String {
        self.held.derived_key(label)
    }

    /// As [`Lease::checkpoint`].
    ///
    /// # Errors
    /// As for [`Lease::checkpoint`].
    pub fn checkpoint(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.held.checkpoint(bytes.as_ref())
    }

    /// Whether the key was lost meanwhile: the work should stop.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.held.is_lost()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("token", &self.token())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Runs `work` unless it ran before, and stores its result; the lease is kept alive while it
    /// runs, for at most [`RUN_CEILING`].
    ///
    /// A result over the limit of the policy is given to this caller, and recorded as completed
    /// without its bytes, also under [`Oversize::Refuse`](crate::Oversize::Refuse): the work has
    /// run, and must not run again for its size.
    ///
    /// A panic in `work` releases the key under at-least-once and leaves it in doubt under
    /// at-most-once.
    ///
    /// # Errors
    /// [`RunError::Work`] when the work failed, once the store knows how;
    /// [`RunError::Store`] as for [`claim`](Self::claim) and [`Lease::complete`], and of kind
    /// [`Decode`](ErrorKind::Decode) for a stored result that is none of type `T`, or was left out
    /// because it was over the limit of the policy: the work is not run again for that.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Failure, Policy, Ran, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once())?;
    /// let send = || mail.run_once("user-7", |run| {
    ///     Ok::<_, Failure<String>>(format!("sent under {}", run.token()))
    /// });
    /// assert!(matches!(send(), Ok(Ran::Executed(_))));
    /// assert!(matches!(send(), Ok(Ran::Replayed(_))));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn run_once<T, E, W>(&self, key: impl AsRef<[u8]>, work: W) -> Result<Ran<T>, RunError<E>>
    where
        T: StoredValue,
        E: fmt::Display,
        W: FnOnce(Run) -> Result<T, Failure<E>>,
    {
        self.run_once_with(key, ClaimOptions::new(), work)
    }

    /// As [`run_once`](Self::run_once), with the options of the claim.
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_with<T, E, W>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> Result<Ran<T>, RunError<E>>
    where
        T: StoredValue,
        E: fmt::Display,
        W: FnOnce(Run) -> Result<T, Failure<E>>,
    {
        self.run_coded(key, options, Codec::of_response(), work)
    }

    pub(crate) fn run_coded<T, E, W>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        codec: Codec<T>,
        work: W,
    ) -> Result<Ran<T>, RunError<E>>
    where
        E: fmt::Display,
        W: FnOnce(Run) -> Result<T, Failure<E>>,
    {
        let lease = match self.claim_with(key, kept_alive(options))? {
            Claim::Granted(lease) => lease,
            other => return Ok(ran_before(other, codec.decode)?),
        };
        let outcome = work(Run {
            held: lease.held().clone(),
        });
        match outcome {
            Ok(value) => {
                let completed = match (codec.encode)(&value) {
                    Ok(bytes) => match lease.complete(bytes) {
                        Err(refused) if refused.kind() == ErrorKind::TooLarge => {
                            refused.into_lease().complete_without()
                        }
                        completed => completed,
                    }
                    .map_err(Error::from),
                    Err(error) => unstorable(error, lease.complete_without()),
                };
                stored(value, completed)
            }
            Err(failure) => {
                let (how, error) = classify(failure, self.policy().guarantee());
                let text = error.to_string();
                let settled = match how {
                    How::Fail => lease.fail(&text),
                    How::Release => lease.release(bounded(&text)),
                    How::Doubt => lease.doubt(bounded(&text)),
                };
                not_stored(error, settled.map_err(Error::from))
            }
        }
    }

    /// As [`run_once_with`](Self::run_once_with), without blocking. Dropping the future while the
    /// work runs is what dropping a [`Lease`] is.
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_async<T, E, W, F>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> impl Future<Output = Result<Ran<T>, RunError<E>>>
    where
        T: StoredValue,
        E: fmt::Display,
        W: FnOnce(Run) -> F,
        F: Future<Output = Result<T, Failure<E>>>,
    {
        self.run_coded_async(key, options, Codec::of_response(), work)
    }

    pub(crate) fn run_coded_async<T, E, W, F>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        codec: Codec<T>,
        work: W,
    ) -> impl Future<Output = Result<Ran<T>, RunError<E>>>
    where
        E: fmt::Display,
        W: FnOnce(Run) -> F,
        F: Future<Output = Result<T, Failure<E>>>,
    {
        let claim = self.claim_async(key, kept_alive(options));
        let guarantee = self.policy().guarantee();
        async move {
            let lease = match claim.await? {
                Claim::Granted(lease) => lease,
                other => return Ok(ran_before(other, codec.decode)?),
            };
            let outcome = work(Run {
                held: lease.held().clone(),
            })
            .await;
            match outcome {
                Ok(value) => {
                    let completed = match (codec.encode)(&value) {
                        Ok(bytes) => match lease.complete_async(bytes).await {
                            Err(refused) if refused.kind() == ErrorKind::TooLarge => {
                                refused.into_lease().complete_without_async().await
                            }
                            completed => completed,
                        }
                        .map_err(Error::from),
                        Err(error) => unstorable(error, lease.complete_without_async().await),
                    };
                    stored(value, completed)
                }
                Err(failure) => {
                    let (how, error) = classify(failure, guarantee);
                    let settled = settle_async(lease, how, &error.to_string()).await;
                    not_stored(error, settled)
                }
            }
        }
    }
}

/// The lease is kept alive from the grant on: a call in between could be refused, and the attempt
/// would count though nothing has run.
fn kept_alive(options: ClaimOptions) -> ClaimOptions {
    let ceiling = options.keep_alive.unwrap_or(RUN_CEILING);
    options.keep_alive(ceiling)
}

async fn settle_async(lease: Lease, how: How, text: &str) -> Result<()> {
    let settled = match how {
        How::Fail => lease.fail_async(text).await,
        How::Release => lease.release_async(bounded(text)).await,
        How::Doubt => lease.doubt_async(bounded(text)).await,
    };
    settled.map_err(Error::from)
}

/// Bytes of an error's text that are kept as a reason.
const REASON_BYTES: usize = 1024;

fn bounded(text: &str) -> &str {
    let mut end = text.len().min(REASON_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

enum How {
    Fail,
    Release,
    Doubt,
}

fn classify<E>(failure: Failure<E>, guarantee: Guarantee) -> (How, E) {
    match failure {
        Failure::Final(error) => (How::Fail, error),
        Failure::Retry(error) => (How::Release, error),
        Failure::Unknown(error) => (How::Doubt, error),
        Failure::ByGuarantee(error) if guarantee == Guarantee::AtMostOnce => (How::Doubt, error),
        Failure::ByGuarantee(error) => (How::Release, error),
    }
}

/// The work has run, and must not run again because its result cannot be stored.
fn unstorable(error: Error, completed: Result<(), LeaseError>) -> Result<()> {
    completed?;
    Err(error)
}

fn stored<T, E>(value: T, completed: Result<()>) -> Result<Ran<T>, RunError<E>> {
    match completed {
        Ok(()) => Ok(Ran::Executed(value)),
        Err(error) if matches!(error.kind(), ErrorKind::Superseded | ErrorKind::NotHeld) => {
            Ok(Ran::Superseded(value))
        }
        Err(error) => Err(RunError::Store(error)),
    }
}

fn not_stored<T, E>(work: E, settled: Result<()>) -> Result<Ran<T>, RunError<E>> {
    match settled {
        // A failure under a token that is not current any more is nobody's business.
        Err(error) if !matches!(error.kind(), ErrorKind::Superseded | ErrorKind::NotHeld) => {
            Err(RunError::Store(error))
        }
        _ => Err(RunError::Work(work)),
    }
}

fn ran_before<T>(claim: Claim, decode: fn(&Completed) -> Result<T>) -> Result<Ran<T>> {
    Ok(match claim {
        Claim::Granted(_) => unreachable!("grants are run"),
        Claim::InProgress(busy) => Ran::InProgress(busy),
        Claim::Completed(answer) => Ran::Replayed(decode(&answer)?),
        Claim::Failed(answer) => Ran::Failed(answer),
        Claim::InDoubt(doubt) => Ran::InDoubt(doubt),
        Claim::Mismatch(other) => Ran::Mismatch(other),
    })
}

fn decode_response<T: StoredValue>(answer: &Completed) -> Result<T> {
    if answer.response_omitted() {
        let text = "the outcome was recorded without its bytes, which were over max_response or no JSON: \
                    there is no result to give back, and the work is not run again";
        return Err(Error::new(ErrorKind::Decode, text));
    }
    T::from_bytes(answer.response()).map_err(|error| {
        let text = format!("the stored response does not decode: {error}; it is in payload(), and the work is not run again");
        Error::new(ErrorKind::Decode, text).with_payload(answer.response().to_vec())
    })
}
