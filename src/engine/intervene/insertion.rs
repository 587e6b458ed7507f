//! What operators bring in: keys that are absent, with what is known of them.

use crate::engine::audit::by::By;
use crate::engine::call::admission::Entry;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shards::Locked;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::transition::Subject;
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::comparison::FingerprintPolicy;
use crate::value::error::{Error, Result};
use crate::value::insertion::Insertion;
use crate::value::limits::check_checkpoint;
use crate::value::policy::check_retention;
use crate::value::time::Now;

impl Engine {
    /// Refuses what the namespace could not hold, before anything is done.
    pub(crate) fn check_insertion(
        &self,
        namespace: &NamespaceCore,
        insertion: &Insertion,
    ) -> Result<()> {
        let (limits, policy) = (&self.options.limits, &namespace.policy);
        limits.check_key(&insertion.key)?;
        match insertion.outcome() {
            Some(outcome) => policy.check_outcome(
                outcome,
                "insert a shorter one or a reference, or raise max_response",
            )?,
            None => limits.check_reason(&insertion.said)?,
        }
        let remedy = "insert an id and keep the rest elsewhere";
        limits.check_metadata(&insertion.metadata, remedy)?;
        let remedy = "keep it elsewhere and insert a reference";
        check_checkpoint(&insertion.checkpoint, remedy)?;
        if policy.fingerprints == FingerprintPolicy::Required {
            return Err(Error::invalid(
                "the namespace requires a fingerprint with every claim, and a key that is inserted has none",
            ));
        }
        insertion.retention.map_or(Ok(()), check_retention)
    }

    /// Brings a key in that is absent, as its insertion says; any other stays as it is. Gives whether
    /// it did, and the frame that the acknowledgement waits for.
    ///
    /// It starts nothing, so a store that was salvaged with losses takes it before they are accepted.
    pub(crate) fn insert_as(
        &self,
        named: Named<'_>,
        insertion: &Insertion,
        by: &Attribution,
    ) -> Result<(bool, Option<u64>)> {
        self.check_change()?;
        self.make_room().wait()?;
        let policy = &named.namespace.policy;
        let prepared = self.prepare_insertion(named.namespace, insertion, By::Operator(by));
        let (mut shard, now) = self.lock(named.digest);
        let last = match shard.find(named.digest, now.store_secs) {
            Found::Absent | Found::Forgotten(_) => {
                self.admit(&mut shard, named.digest, policy, Entry::Import)?;
                shard.last_record(named.digest)
            }
            Found::Running(_) => return Ok((false, None)),
            Found::Settled(_, _, locator) => {
                return Ok((false, self.rests_on(named.namespace, locator)));
            }
        };
        let frame = self.write_insertion(shard, named, insertion, last, prepared, by, now)?;
        Ok((true, Some(frame)))
    }

    /// What goes through all of an outcome, before the lock.
    fn prepare_insertion(
        &self,
        namespace: &NamespaceCore,
        insertion: &Insertion,
        by: By<'_>,
    ) -> Prepared {
        let Some(outcome) = insertion.outcome() else {
            return Prepared::default();
        };
        self.prepare_outcome(by, &namespace.policy, outcome)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one transition under one lock"
    )]
    fn write_insertion(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        insertion: &Insertion,
        last: Option<LastRecord>,
        prepared: Prepared,
        by: &Attribution,
        now: Now,
    ) -> Result<u64> {
        let policy = &named.namespace.policy;
        let subject = Subject {
            namespace: named.namespace.id,
            key: named.key,
            token: self.tokens.next(&self.journal)?,
            attempt: 1,
            first_claimed_at: now.store_secs,
            fingerprint: None,
            metadata: &insertion.metadata,
            reason: &[],
            checkpoint: &insertion.checkpoint,
            retention: insertion.retention,
            attached: false,
            policy,
        };
        let record = subject.record(insertion.kind, &insertion.said, now);
        let made = (Transition::Inserted, By::Operator(by));
        let locator = self.append_transition(&record, made, policy, prepared, last, now);
        let ended = shard.apply(named.digest, &record.head, policy.guarantee, locator);
        debug_assert!(ended.is_none(), "nobody runs a key that is absent");
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| {
            counters.settle(insertion.kind, false);
        });
        Ok(locator.frame)
    }
}
