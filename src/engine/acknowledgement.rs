//! When an answer may be given: once the record that it rests on is as durable as the policy demands.

use std::future::Future;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::Refused;
use crate::runtime::begun::Begun;
use crate::value::durability::Durability;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::policy::Policy;

impl Engine {
    /// Whether changes of a namespace are acknowledged only once they are on the medium.
    #[inline]
    pub(crate) fn is_sync(&self, namespace: &NamespaceCore) -> bool {
        self.is_sync_under(&namespace.policy)
    }

    #[inline]
    pub(in crate::engine) fn is_sync_under(&self, policy: &Policy) -> bool {
        let durability = policy.durability.unwrap_or(self.options.durability);
        durability == Durability::Sync && !self.options.ephemeral
    }

    /// The frame that an answer which rests on a record has to wait for.
    #[inline]
    pub(crate) fn rests_on(&self, namespace: &NamespaceCore, locator: Locator) -> Option<u64> {
        self.rests_on_under(&namespace.policy, locator)
    }

    /// As [`rests_on`](Self::rests_on), for callers under the lock of a shard: they must not take the lock of
    /// the namespaces to find one.
    #[inline]
    pub(in crate::engine) fn rests_on_under(
        &self,
        policy: &Policy,
        locator: Locator,
    ) -> Option<u64> {
        let durable = locator.frame <= self.journal.durable();
        // At every durability level a poisoned store answers only what is durable, so here the wait fails.
        let waits = !durable && (self.is_sync_under(policy) || self.journal.is_poisoned());
        (waits && !self.compaction.is_copy(&locator)).then_some(locator.frame)
    }

    /// Waits for the frame that an answer rests on.
    pub(crate) async fn rest(&self, frame: Option<u64>) -> Result<()> {
        match frame {
            Some(frame) => self.wait(frame).await,
            None => Ok(()),
        }
    }

    /// Waits until a frame is on the medium.
    pub(in crate::engine) async fn wait(&self, frame: u64) -> Result<()> {
        if self.journal.durable() < frame {
            self.check_can_wait()?;
        }
        self.journal.wait(frame).await
    }

    /// Whether a change counts as acknowledged without a wait.
    #[inline]
    pub(crate) fn is_acknowledged(&self, sync: bool, frame: Option<u64>) -> bool {
        match frame {
            Some(frame) if sync => self.journal.durable() >= frame,
            // The change itself has brought the time to the journal.
            Some(frame) => {
                self.check_written(frame).is_ok()
                    && !self.journal.is_congested(self.journal.latest_ms())
            }
            None => true,
        }
    }

    /// Waits until a change counts as acknowledged.
    pub(crate) async fn acknowledge(&self, sync: bool, frame: Option<u64>) -> Result<()> {
        let Some(frame) = frame else { return Ok(()) };
        if sync {
            return self.wait(frame).await;
        }
        self.check_written(frame)?;
        self.make_room().finish().await
    }

    /// Waits for the acknowledgement of a change, or for the frame that its refusal rests on.
    pub(crate) async fn acknowledged<T>(
        &self,
        namespace: &NamespaceCore,
        carried_out: Result<(T, Option<u64>), Refused>,
    ) -> Result<T> {
        match carried_out {
            Ok((value, frame)) => {
                self.acknowledge(self.is_sync(namespace), frame).await?;
                Ok(value)
            }
            Err(refused) => Err(self.refuse(refused).await),
        }
    }

    /// After a failed write nothing is acknowledged that is not on the medium, at any durability.
    #[inline]
    fn check_written(&self, frame: u64) -> Result<()> {
        if self.journal.is_poisoned() && self.journal.durable() < frame {
            return self.journal.check();
        }
        Ok(())
    }

    /// Waits while more is unwritten, or unsynced for longer, than is allowed.
    pub(crate) fn make_room(&self) -> Begun<Result<()>, impl Future<Output = Result<()>>> {
        match self.congestion() {
            Some(frame) => Begun::Waits(self.wait(frame)),
            None => Begun::Ready(Ok(())),
        }
    }

    /// The frame that a change waits for before it may be made.
    pub(in crate::engine) fn congestion(&self) -> Option<u64> {
        self.journal.congestion(self.now().mono_ms)
    }

    /// Waits for the frame that each item of a batch rests on; the first wait covers every item of the same
    /// commit. After a failed write, the result of each written item says that its effect is unknown.
    pub(crate) async fn acknowledge_each<T>(
        &self,
        sync: bool,
        begun: Vec<Result<(T, Option<u64>)>>,
    ) -> Vec<Result<T>> {
        let newest = begun.iter().flatten().filter_map(|(_, frame)| *frame);
        // What is true of the newest frame is true of those before it.
        if self.is_acknowledged(sync, newest.max()) {
            let values = begun.into_iter().map(|item| item.map(|(value, _)| value));
            return values.collect();
        }
        let mut results = Vec::with_capacity(begun.len());
        for item in begun {
            results.push(match item {
                Ok((value, frame)) if self.is_acknowledged(sync, frame) => Ok(value),
                Ok((value, frame)) => self.acknowledge(sync, frame).await.map(|()| value),
                Err(error) => Err(error),
            });
        }
        results
    }
}
