//! Many leases that are settled in one commit.

use crate::claim::lease::{Lease, LeaseError, RefusedLease};
use crate::claim::pending::Pending;
use crate::observe::trace::Batch;
use crate::runtime::sync::block_on;
use crate::state::transition::Command;

/// How many leases are settled at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settling {
    Complete,
    Fail,
    Release,
}

impl Settling {
    fn operation(self) -> &'static str {
        match self {
            Self::Complete => "complete_many",
            Self::Fail => "fail_many",
            Self::Release => "release_many",
        }
    }

    fn command(self, said: &[u8]) -> Command<'_> {
        match self {
            Self::Complete => Command::Complete(said),
            Self::Fail => Command::Fail(said),
            Self::Release => Command::Release(said),
        }
    }

    /// Settles leases of the namespace of this name; results come in the order of the items.
    pub(crate) fn settle<S: AsRef<[u8]>>(
        self,
        namespace: &str,
        items: impl IntoIterator<Item = (Lease, S)>,
    ) -> Vec<Result<(), LeaseError>> {
        let batch = Batch::begin(self.operation(), namespace);
        batch.run(|| block_on(acknowledged(&batch, self.start(items))))
    }

    /// As [`settle`](Self::settle); it takes effect at once.
    pub(crate) fn settle_async<S: AsRef<[u8]>>(
        self,
        namespace: &str,
        items: impl IntoIterator<Item = (Lease, S)>,
    ) -> Pending<Vec<Result<(), LeaseError>>> {
        let batch = Batch::begin(self.operation(), namespace);
        let started = batch.run(|| self.start(items));
        let within = batch.clone();
        Pending::new(batch.follow(async move { acknowledged(&within, started).await }))
    }

    /// Carries every command out; afterwards only the wait for the acknowledgements is left.
    fn start<S: AsRef<[u8]>>(
        self,
        items: impl IntoIterator<Item = (Lease, S)>,
    ) -> Vec<Result<(Lease, Option<u64>), RefusedLease>> {
        let start = |(lease, said): (Lease, S)| lease.start(self.command(said.as_ref()));
        items.into_iter().map(start).collect()
    }
}

/// Waits for many acknowledgements: the first wait covers all that share its commit.
async fn acknowledged(
    batch: &Batch,
    started: Vec<Result<(Lease, Option<u64>), RefusedLease>>,
) -> Vec<Result<(), LeaseError>> {
    let mut results = Vec::with_capacity(started.len());
    for started in started {
        results.push(match started {
            Ok((lease, frame)) => lease.acknowledged(frame).await,
            Err(refused) => Err(refused.rested().await),
        });
    }
    batch.end("ok", || results.iter().map(of_settled));
    results
}

fn of_settled(result: &Result<(), LeaseError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(refused) => refused.error().kind().name(),
    }
}
