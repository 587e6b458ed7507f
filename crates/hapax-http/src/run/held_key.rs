//! [`HeldKey`]: the key that a run holds until it settles it.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use hapax::{ErrorKind, Fingerprint, Guarantee, KeyState, Lease};
use hapax_http_types::StoredResponse;
use http::StatusCode;

use crate::answer::disposition::Disposition;
use crate::answer::expiry::expiry_after;
use crate::answer::outcome::Outcome;
use crate::config::Config;
use crate::run::run_handle::{HeldLease, Run};

/// The key that a run holds until it settles it. Each way to settle it counts.
pub(crate) struct HeldKey {
    config: Arc<Config>,
    lease: HeldLease,
    /// The fingerprint of the request that runs.
    fingerprint: Fingerprint,
}

/// The result of settling a key.
enum Settled {
    /// The store accepted it.
    Done,
    /// Another holder won; with its response, if it stored one for the same request.
    Lost(Option<Box<Winner>>),
    /// The store did not accept it.
    Not,
}

/// The response of the holder that won.
pub(crate) struct Winner {
    pub(crate) response: StoredResponse,
    pub(crate) expires_at: SystemTime,
}

/// The result of storing a response.
pub(crate) enum Stored {
    /// It is stored until then.
    Until(SystemTime),
    /// Another holder won; with its response, if it stored one for the same request.
    Lost(Option<Box<Winner>>),
    /// The store did not accept it, or it is too long.
    Not,
}

impl HeldKey {
    pub(crate) fn new(config: Arc<Config>, lease: Lease, fingerprint: Fingerprint) -> Self {
        Self {
            config,
            lease: HeldLease::new(lease),
            fingerprint,
        }
    }

    pub(crate) fn run(&self) -> &Run {
        self.lease.run()
    }

    pub(crate) fn outcome(&self, stored: bool) -> Outcome {
        let run = self.run();
        Outcome::Executed {
            stored,
            token: run.token(),
            attempt: run.attempt(),
        }
    }

    /// Stores a response; `None` if the key is settled already.
    pub(crate) async fn store(&self, response: &StoredResponse) -> Option<Stored> {
        let bytes = response.to_bytes();
        let lease = self.lease.take()?;
        let policy = self.config.namespace.policy();
        if bytes.len() > policy.max_response_bytes() {
            self.complete_without_body(lease, response.status(), response.body_bytes())
                .await;
            return Some(Stored::Not);
        }
        // Computed before the outcome is stored: the store counts from when it has the outcome, not from when
        // that is on the medium.
        let expires_at = expiry_after(policy.completed_retention());
        let counters = &self.config.counters;
        Some(match self.settled(lease.complete_async(&bytes).await) {
            Settled::Done => {
                counters.runs_stored.one_more();
                Stored::Until(expires_at)
            }
            Settled::Lost(winner) => {
                counters.runs_lost.one_more();
                Stored::Lost(winner)
            }
            Settled::Not => {
                counters.runs_unstored.one_more();
                Stored::Not
            }
        })
    }

    /// Stores that the handler ran, and the status and length of its response, but not the response.
    pub(crate) async fn omit(&self, status: StatusCode, bytes: u64) {
        if let Some(lease) = self.lease.take() {
            self.complete_without_body(lease, status, bytes).await;
        }
    }

    async fn complete_without_body(&self, lease: Lease, status: StatusCode, bytes: u64) {
        let stored = StoredResponse::without_body(status, bytes).to_bytes();
        let counters = &self.config.counters;
        match self.settled(lease.complete_async(stored).await) {
            Settled::Done => counters.runs_omitted.one_more(),
            Settled::Lost(_) => counters.runs_lost.one_more(),
            Settled::Not => counters.runs_unstored.one_more(),
        }
    }

    /// Settles a key without a response.
    pub(crate) async fn give_up(&self, disposition: Disposition, reason: &str) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let guarantee = self.config.namespace.policy().guarantee();
        let counters = &self.config.counters;
        let (settled_as, count) = match (disposition, guarantee) {
            (Disposition::NotBegun, _) if !lease.is_lost() => return self.withdraw(lease).await,
            (Disposition::Store | Disposition::Omit, _) => {
                return self
                    .complete_without_body(lease, StatusCode::INTERNAL_SERVER_ERROR, 0)
                    .await;
            }
            (Disposition::Release | Disposition::NotBegun, _)
            | (Disposition::ByGuarantee, Guarantee::AtLeastOnce) => {
                (lease.release_async(reason).await, &counters.runs_released)
            }
            (Disposition::Doubt | Disposition::ByGuarantee, _) => {
                (lease.doubt_async(reason).await, &counters.runs_in_doubt)
            }
        };
        match self.settled(settled_as) {
            Settled::Done => count.one_more(),
            Settled::Lost(_) => counters.runs_lost.one_more(),
            Settled::Not => counters.runs_unstored.one_more(),
        }
    }

    /// Leaves the key as it was before the request, durably.
    async fn withdraw(&self, lease: Lease) {
        let key = lease.key().to_vec();
        lease.withdraw();
        self.config.counters.runs_not_begun.one_more();
        // Reading the key waits until this is on the medium: after a crash, a refusal that the client was told must
        // not be in doubt.
        let _ = self.config.namespace.contains_async(key).await;
    }

    /// Leaves the key as it was, because nothing began.
    pub(crate) fn take_back(&self) {
        if let Some(lease) = self.lease.take() {
            lease.withdraw();
            self.config.counters.runs_not_begun.one_more();
        }
    }

    fn settled(&self, result: hapax::Result<()>) -> Settled {
        let Err(error) = result else {
            return Settled::Done;
        };
        match error.kind() {
            ErrorKind::Superseded | ErrorKind::NotHeld | ErrorKind::AlreadySettled => {
                // Once a key was released, another request may have run under it.
                let winner = error.current().filter(|current| {
                    current.state() == KeyState::Completed
                        && current.fingerprint() == Some(&self.fingerprint)
                });
                Settled::Lost(winner.and_then(|winner| {
                    let body = Bytes::copy_from_slice(winner.body());
                    let response = StoredResponse::from_bytes(body).ok()?;
                    let expires_at = winner.expires_at()?;
                    Some(Box::new(Winner {
                        response,
                        expires_at,
                    }))
                }))
            }
            _ => Settled::Not,
        }
    }
}
