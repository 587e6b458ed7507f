//! Keys that operators bring in, with what is known of them.

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::admission::Admission;
use crate::engine::change::{Change, Prepared};
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::turn::Turn;
use crate::state::found::Found;
use crate::state::transition::Subject;
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::comparison::FingerprintPolicy;
use crate::value::error::{Error, Result};
use crate::value::insertion::Insertion;
use crate::value::limits::{Limits, check_checkpoint};
use crate::value::policy::{Policy, check_retention};

/// Refuses what no key of a namespace with this policy can be.
pub(crate) fn check_insertion(
    limits: &Limits,
    policy: &Policy,
    insertion: &Insertion,
) -> Result<()> {
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

impl Engine {
    /// Refuses an insertion that the namespace cannot hold, before any work.
    pub(crate) fn check_insertion(
        &self,
        namespace: &NamespaceCore,
        insertion: &Insertion,
    ) -> Result<()> {
        check_insertion(&self.options.limits, &namespace.policy, insertion)
    }

    /// Brings in a key if it is absent; a key that is there stays as it is. Returns whether it was absent,
    /// and the frame that the acknowledgement waits for.
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
        let by = Initiator::Operator(by);
        let prepared = match insertion.outcome() {
            Some(outcome) => self.prepare_outcome(by, &named.namespace.policy, outcome),
            None => Prepared::default(),
        };
        let mut turn = self.turn(named.digest);
        match turn.find(named.digest) {
            Found::Absent | Found::Forgotten(_) => {
                let frame = turn.bring_in(named, insertion, prepared, by)?;
                Ok((true, Some(frame)))
            }
            Found::Running(_) => Ok((false, None)),
            Found::Settled(_, _, locator) => Ok((false, self.rests_on(named.namespace, locator))),
        }
    }
}

impl Turn<'_> {
    fn bring_in(
        &mut self,
        named: Named<'_>,
        insertion: &Insertion,
        prepared: Prepared,
        by: Initiator<'_>,
    ) -> Result<u64> {
        let policy = &named.namespace.policy;
        let token = self.admit_holder(named.digest, policy, Admission::Import)?;
        let subject = Subject {
            metadata: &insertion.metadata,
            checkpoint: &insertion.checkpoint,
            retention: insertion.retention,
            ..named.new_subject(token, self.now)
        };
        let record = subject.record(insertion.kind, &insertion.said, self.now);
        let appended = self.append(Change {
            prepared,
            ..Change::of(named, &record, Transition::Inserted, by)
        });
        Ok(self.commit(appended).frame)
    }
}
