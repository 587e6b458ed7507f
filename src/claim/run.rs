//! [`Run`]: work within `run_once`, from the claim to its outcome.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::claim::answer::{Failed, beginning};
use crate::claim::calls::Calls;
use crate::claim::claim::Claim;
use crate::claim::failure::{Failure, IntoFailure};
use crate::claim::held::Held;
use crate::claim::lease::{Asked, Lease};
use crate::claim::options::ClaimOptions;
use crate::claim::ran::{Ran, RunError};
use crate::claim::stored_value::StoredValue;
use crate::claim::to_stored::unstorable;
use crate::runtime::begun::Begun;
use crate::state::transition::Command;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;

/// The longest time for which `run_once` keeps a lease alive.
pub const RUN_CEILING: Duration = Duration::from_secs(60 * 60);

/// What `run_once` tells the work about its run, and lets it do.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Ran, Store};
///
/// let store = Store::in_memory().open()?;
/// let imports = store.namespace("imports", Policy::at_least_once())?;
/// let import = |fails: bool| {
///     imports.run_once("2026-01", |run| {
///         let done = run.last_checkpoint().len();
///         if fails {
///             run.checkpoint("half").map_err(|error| error.to_string())?;
///             return Err(format!("attempt {} broke off", run.attempt()));
///         }
///         Ok(format!("went on behind {done} bytes"))
///     })
/// };
/// assert!(import(true).is_err());
/// assert!(matches!(import(false)?, Ran::Executed(text) if text == "went on behind 4 bytes"));
/// # Ok::<(), hapax::RunError<String>>(())
/// ```
pub struct Run {
    held: Held,
}

impl Run {
    fn of(lease: &Lease) -> Self {
        Self {
            held: lease.held().clone(),
        }
    }

    /// The fencing token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.held.granted().token
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.held.granted().attempt
    }

    /// The last checkpoint that an earlier attempt stored with [`checkpoint`](Self::checkpoint); empty
    /// without one.
    #[must_use]
    pub fn last_checkpoint(&self) -> &[u8] {
        self.held.granted().checkpoint()
    }

    /// The reason of the last failure that could be tried again; empty without one.
    #[must_use]
    pub fn last_reason(&self) -> &[u8] {
        self.held.granted().reason()
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
        self.held.do_and_wait(Command::Checkpoint(bytes.as_ref()))
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

/// Runs `work` unless it ran before, and settles the key by its outcome.
pub(crate) fn run<T, F, W>(
    calls: &Calls,
    key: &[u8],
    options: ClaimOptions,
    work: W,
) -> Result<Ran<T>, RunError<F::Error>>
where
    T: StoredValue,
    F: IntoFailure,
    W: FnOnce(Run) -> Result<T, F>,
{
    let claim = calls.claim(key, kept_alive(options))?;
    match Before::of(claim)? {
        Before::Nothing(lease) => {
            let outcome = work(Run::of(&lease));
            settle(lease, outcome).wait()
        }
        Before::Ran(ran) => Ok(ran),
        Before::Failed(answer) => Err(RunError::Failed(answer)),
    }
}

/// As [`run`], without blocking.
pub(crate) fn run_async<T, F, W, U>(
    calls: &Calls,
    key: &[u8],
    options: ClaimOptions,
    work: W,
) -> impl Future<Output = Result<Ran<T>, RunError<F::Error>>> + use<T, F, W, U>
where
    T: StoredValue,
    F: IntoFailure,
    W: FnOnce(Run) -> U,
    U: Future<Output = Result<T, F>>,
{
    let claim = calls.claim_async(key, kept_alive(options));
    async move {
        match Before::of(claim.await?)? {
            Before::Nothing(lease) => {
                let outcome = work(Run::of(&lease)).await;
                settle(lease, outcome).finish().await
            }
            Before::Ran(ran) => Ok(ran),
            Before::Failed(answer) => Err(RunError::Failed(answer)),
        }
    }
}

/// What a claim says of earlier runs.
enum Before<T> {
    /// This one may run.
    Nothing(Lease),
    Ran(Ran<T>),
    Failed(Failed),
}

impl<T: StoredValue> Before<T> {
    fn of(claim: Claim) -> Result<Self> {
        Ok(match claim {
            Claim::Granted(lease) => Self::Nothing(lease),
            Claim::InProgress(busy) => Self::Ran(Ran::InProgress(busy)),
            Claim::Completed(answer) => {
                Self::Ran(Ran::Replayed(answer.record.decode(T::from_bytes)?))
            }
            Claim::Failed(answer) => Self::Failed(answer),
            Claim::InDoubt(doubt) => Self::Ran(Ran::InDoubt(doubt)),
            Claim::Mismatch(other) => Self::Ran(Ran::Mismatch(other)),
        })
    }
}

/// The lease is kept alive from the grant on: a call in between could be refused, and the attempt
/// would count though nothing has run.
fn kept_alive(options: ClaimOptions) -> ClaimOptions {
    let ceiling = options.keep_alive.unwrap_or(RUN_CEILING);
    options.keep_alive(ceiling)
}

/// How a run ended, to be told once its key is settled.
enum RunEnd<T, E> {
    Stored(T),
    /// The work has run, and must not run again because its result cannot be stored.
    Unstorable(Error),
    Failed(E),
}

impl<T, E> RunEnd<T, E> {
    fn told(self, settled: Result<()>) -> Result<Ran<T>, RunError<E>> {
        let is_lost = |kind| matches!(kind, ErrorKind::Superseded | ErrorKind::NotHeld);
        match (self, settled.map_err(Error::without_lease)) {
            (Self::Stored(value), Ok(())) => Ok(Ran::Executed(value)),
            (Self::Stored(value), Err(error)) if is_lost(error.kind()) => {
                Ok(Ran::Superseded(value))
            }
            (Self::Unstorable(error), Ok(())) => Err(RunError::Store(error)),
            (Self::Failed(work), Ok(())) => Err(RunError::Work(work)),
            // A failure under a token that is no longer current changes nothing.
            (Self::Failed(work), Err(error)) if is_lost(error.kind()) => Err(RunError::Work(work)),
            (_, Err(error)) => Err(RunError::Store(error)),
        }
    }
}

/// The result of a run whose work may fail with `F`.
type RunResult<T, F> = Result<Ran<T>, RunError<<F as IntoFailure>::Error>>;

/// Settles the key by the outcome of its work.
fn settle<T: StoredValue, F: IntoFailure>(
    lease: Lease,
    outcome: Result<T, F>,
) -> Begun<RunResult<T, F>, impl Future<Output = RunResult<T, F>> + use<T, F>> {
    let (settled, end) = match outcome {
        Ok(value) => match value.to_bytes() {
            Ok(bytes) => (
                lease.settle(Command::Complete(&bytes), Asked::Now),
                RunEnd::Stored(value),
            ),
            Err(cause) => (
                lease.settle(Command::CompleteWithout, Asked::Now),
                RunEnd::Unstorable(unstorable(cause, RAN)),
            ),
        },
        Err(failure) => {
            let (how, error) = classify(failure.into_failure(), lease.guarantee());
            let text = error.to_string();
            let command = match how {
                How::Fail => Command::Fail(text.as_bytes()),
                How::Release => Command::Release(beginning(&text, REASON_BYTES).as_bytes()),
                How::Doubt => Command::Doubt(beginning(&text, REASON_BYTES).as_bytes()),
            };
            (lease.settle(command, Asked::Now), RunEnd::Failed(error))
        }
    };
    let settled = match (settled, &end) {
        (Begun::Ready(Err(refused)), RunEnd::Stored(_))
            if refused.kind() == ErrorKind::TooLarge =>
        {
            match refused.into_lease() {
                Ok(lease) => lease.settle(Command::CompleteWithout, Asked::Now),
                Err(refused) => Begun::Ready(Err(refused)),
            }
        }
        (settled, _) => settled,
    };
    settled.map(|settled| end.told(settled))
}

const RAN: &str = "the work has run, so the key is recorded as completed without it";

/// Bytes of an error's text that are kept as a reason.
const REASON_BYTES: usize = 1024;

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
