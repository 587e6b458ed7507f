//! [`Run`]: the run, as its handler sees it, and [`HeldLease`], the lease that it holds.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hapax::{FencingToken, Lease};

/// The run of a handler: its fencing token, attempt and checkpoint, and whether it still holds its key.
///
/// A handler finds it among the extensions of the request. With the feature `axum` it is an extractor, and
/// `Option<Run>` is the extractor for routes where the key is optional.
///
/// # Examples
///
/// ```
/// use hapax_http::Run;
/// use http::Request;
///
/// /// The token for a downstream system that refuses older tokens.
/// fn token<B>(request: &Request<B>) -> Option<i64> {
///     let run = request.extensions().get::<Run>()?;
///     Some(run.token().as_i64())
/// }
/// ```
#[derive(Clone)]
pub struct Run {
    shared: Arc<Shared>,
}

struct Shared {
    token: FencingToken,
    attempt: u32,
    last_checkpoint: Vec<u8>,
    last_reason: Vec<u8>,
    /// Until the handler has answered.
    lease: Mutex<Option<Lease>>,
}

impl Shared {
    fn lease(&self) -> MutexGuard<'_, Option<Lease>> {
        // The lease is either there or taken, so a panic leaves nothing half done.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// The fencing token, higher than every token granted before. Send it along with writes to systems
    /// that can refuse an older token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.shared.token
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.shared.attempt
    }

    /// The [`checkpoint`](Self::checkpoint) of the previous attempt; may be empty.
    #[must_use]
    pub fn last_checkpoint(&self) -> &[u8] {
        &self.shared.last_checkpoint
    }

    /// Why the previous attempt was released; empty for the first one.
    #[must_use]
    pub fn last_reason(&self) -> &[u8] {
        &self.shared.last_reason
    }

    /// A key for a downstream system that deduplicates by itself, such as another payment API. It is
    /// the same in every attempt, and different for each label. `None` once the handler has answered.
    #[must_use]
    pub fn derived_key(&self, label: &str) -> Option<String> {
        let lease = self.shared.lease();
        lease.as_ref().map(|lease| lease.derived_key(label))
    }

    /// Stores what the next attempt needs to continue from here, up to 16 KiB.
    ///
    /// # Errors
    /// [`CheckpointError`], if the handler has answered or the store refuses.
    pub fn checkpoint<C: AsRef<[u8]>>(
        &self,
        bytes: C,
    ) -> impl Future<Output = Result<(), CheckpointError>> + Send + use<C> {
        let begun = self
            .shared
            .lease()
            .as_ref()
            .map(|lease| lease.checkpoint_async(bytes.as_ref()));
        async move {
            let begun = begun.ok_or(CheckpointError::Answered)?;
            begun.await.map_err(CheckpointError::Store)
        }
    }

    /// Whether another holder took the key, or the lease lapsed; the work should stop then. A run that
    /// has answered is not lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.lease().as_ref().is_some_and(Lease::is_lost)
    }

    /// Ends when the run [is lost](Self::is_lost) or has answered.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let lost = self.shared.lease().as_ref().map(Lease::lost);
        async move {
            if let Some(lost) = lost {
                lost.await;
            }
        }
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

/// Why a checkpoint was not stored.
///
/// # Examples
///
/// ```
/// use hapax_http::{CheckpointError, Run};
///
/// async fn charge(run: &Run) -> Result<(), CheckpointError> {
///     if run.last_checkpoint() != b"charged" {
///         // Charge the card here.
///         run.checkpoint("charged").await?;
///     }
///     Ok(())
/// }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum CheckpointError {
    /// The handler has answered already, so no attempt will continue from there.
    Answered,
    /// The store refuses: the key is lost, the checkpoint is too long, or the store cannot write.
    Store(hapax::Error),
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("the handler has answered already"),
            Self::Store(error) => write!(f, "the checkpoint was not stored: {error}"),
        }
    }
}

impl std::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Answered => None,
            Self::Store(error) => Some(error),
        }
    }
}

/// The lease of a run, in the task of its handler. Dropping it gives the key up, even if clones of the [`Run`] live
/// on.
#[derive(Debug)]
pub(crate) struct HeldLease {
    run: Run,
}

impl HeldLease {
    pub(crate) fn new(lease: Lease) -> Self {
        let shared = Shared {
            token: lease.token(),
            attempt: lease.attempt(),
            last_checkpoint: lease.last_checkpoint().to_vec(),
            last_reason: lease.last_reason().to_vec(),
            lease: Mutex::new(Some(lease)),
        };
        Self {
            run: Run {
                shared: Arc::new(shared),
            },
        }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// The lease, to settle it; `None` if it was taken before.
    pub(crate) fn take(&self) -> Option<Lease> {
        self.run.shared.lease().take()
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        drop(self.take());
    }
}
