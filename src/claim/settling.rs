//! Many leases that are settled in one commit.

use crate::claim::lease::{Lease, Started};
use crate::claim::pending::Pending;
use crate::claim::to_stored::ToStored;
use crate::observe::trace::Operation;
use crate::runtime::sync::block_on;
use crate::state::transition::Command;
use crate::value::error::Result;

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
    pub(crate) fn settle<S: ToStored>(
        self,
        namespace: &str,
        items: impl IntoIterator<Item = (Lease, S)>,
    ) -> Vec<Result<()>> {
        let batch = Operation::begin_batch(self.operation(), namespace);
        batch.run(|| block_on(acknowledged(&batch, self.start(items))))
    }

    /// As [`settle`](Self::settle); it takes effect at once.
    pub(crate) fn settle_async<S: ToStored>(
        self,
        namespace: &str,
        items: impl IntoIterator<Item = (Lease, S)>,
    ) -> Pending<Vec<Result<()>>> {
        let batch = Operation::begin_batch(self.operation(), namespace);
        let started = batch.run(|| self.start(items));
        let within = batch.clone();
        Pending::new(batch.follow(async move { acknowledged(&within, started).await }))
    }

    /// Carries every command out; afterwards only the wait for the acknowledgements is left.
    fn start<S: ToStored>(self, items: impl IntoIterator<Item = (Lease, S)>) -> Vec<Started> {
        let start = |(lease, said): (Lease, S)| match said.to_stored() {
            Ok(bytes) => lease.start(self.command(&bytes)),
            Err(cause) => lease.unstorable(cause),
        };
        items.into_iter().map(start).collect()
    }
}

/// Waits for many acknowledgements: the first wait covers all that share its commit.
async fn acknowledged(batch: &Operation, started: Vec<Started>) -> Vec<Result<()>> {
    let mut results = Vec::with_capacity(started.len());
    for started in started {
        results.push(started.acknowledged().await);
    }
    batch.end("ok", || results.iter().map(of_settled));
    results
}

fn of_settled(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(refused) => refused.kind().name(),
    }
}
