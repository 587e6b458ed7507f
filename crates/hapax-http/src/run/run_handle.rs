//! [`Run`]: what a handler knows of the run it is; and the lease that the run holds.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hapax::{FencingToken, Lease};

/// The run that a handler is: its fencing token, attempt, checkpoint, and whether it still holds its
/// key.
///
/// It lies among the extensions of the request. With the feature `axum` it is an extractor, and
/// `Option<Run>` is one for routes where a key is optional.
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
        // What is in it is taken or left, never half done.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// The fencing token: higher than every one granted before. Send it along with writes to systems
    /// that can refuse an older one.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.shared.token
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.shared.attempt
    }

    /// What the attempt before stored with [`checkpoint`](Self::checkpoint); empty when nothing.
    #[must_use]
    pub fn last_checkpoint(&self) -> &[u8] {
        &self.shared.last_checkpoint
    }

    /// Why the attempt before was released; empty when there was none.
    #[must_use]
    pub fn last_reason(&self) -> &[u8] {
        &self.shared.last_reason
    }

    /// A key for a downstream system that deduplicates by itself, such as another payment API: the
    /// same in every attempt, another one for each label. `None` when the handler has answered.
    #[must_use]
    pub fn derived_key(&self, label: &str) -> Option<String> {
        let lease = self.shared.lease();
        lease.as_ref().map(|lease| lease.derived_key(label))
    }

    /// Stores what the next attempt needs to go on from here, up to 16 KiB.
    ///
    /// # Errors
    /// [`CheckpointError`], when the handler has answered, or the store refuses.
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

    /// Whether the key was lost to another holder, or the lease has lapsed: the work should stop.
    /// A run that has answered is not lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.lease().as_ref().is_some_and(Lease::is_lost)
    }

    /// Ends when the run [is lost](Self::is_lost), or has answered.
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

/// A checkpoint that was not stored.
#[non_exhaustive]
#[derive(Debug)]
pub enum CheckpointError {
    /// The handler has answered already: nobody will go on from there.
    Answered,
    /// The store refuses: the key is lost, or the bytes are too many, or it cannot write.
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

/// The lease of a run, in the task of its handler. Dropping it gives the key up, whatever clones of
/// the [`Run`] are still about.
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

    /// The lease, to settle it; nobody else takes it.
    pub(crate) fn take(&self) -> Option<Lease> {
        self.run.shared.lease().take()
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        drop(self.take());
    }
}
