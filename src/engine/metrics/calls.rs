//! Timing and counting of calls.

use std::sync::Arc;

use crate::engine::call::answer::Answer;
use crate::engine::call::batch::ItemAnswer;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::sizes::to_u64;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::counters::Counters;
use crate::observe::metrics::histogram::Histogram;
use crate::runtime::sync::Ordering;
use crate::value::error::ErrorKind;

/// Calls are marked to be timed no more often than this.
const SAMPLE_MS: u64 = 20;

impl Engine {
    /// The present moment, if calls are measured at all.
    #[inline]
    pub(crate) fn clock_ns(&self) -> Option<u64> {
        self.options.counts.then(|| self.time.clock.mono_ns())
    }

    /// Notes how long something took, if it was timed. `near` is the number of a shard.
    #[inline]
    fn observe(&self, times: &Histogram, near: usize, began_ns: Option<u64>) {
        if let Some(began_ns) = began_ns {
            times.observe(near, self.time.clock.mono_ns().saturating_sub(began_ns));
        }
    }

    /// The present moment, if this claim is timed.
    #[inline]
    pub(in crate::engine) fn begin_claim(&self, named: Named<'_>) -> Option<u64> {
        let timed = self.shards.is_timed_claim(named.digest);
        timed.then(|| self.time.clock.mono_ns())
    }

    /// Notes how long a claim took, if it was timed.
    #[inline]
    pub(in crate::engine) fn end_claim(
        &self,
        named: Named<'_>,
        began_ns: Option<u64>,
        answer: &Answer,
    ) {
        if began_ns.is_some() {
            self.observe_claim(named, began_ns, answer.outcome());
        }
    }

    #[cold]
    fn observe_claim(&self, named: Named<'_>, began_ns: Option<u64>, outcome: ClaimOutcome) {
        let timed = ClaimOutcome::ALL.iter().zip(&self.meters.claims);
        let mut histogram = timed.filter(|(of, _)| **of == outcome);
        if let Some((_, histogram)) = histogram.next() {
            self.observe(histogram, self.shards.index(named.digest), began_ns);
        }
    }

    /// The present moment, if this settlement is timed.
    #[inline]
    pub(crate) fn begin_settlement(&self, named: Named<'_>) -> Option<u64> {
        let timed = self.shards.is_timed_settlement(named.digest);
        timed.then(|| self.time.clock.mono_ns())
    }

    #[inline]
    pub(crate) fn end_settlement(&self, named: Named<'_>, began_ns: Option<u64>) {
        let near = self.shards.index(named.digest);
        self.observe(&self.meters.settlements, near, began_ns);
    }

    pub(in crate::engine) fn end_wait(&self, began_ns: Option<u64>) {
        self.observe(&self.meters.waits, 0, began_ns);
    }

    pub(in crate::engine) fn end_compaction(&self, began_ns: Option<u64>) {
        self.observe(&self.meters.compactions, 0, began_ns);
    }

    /// Whether calls are to be marked now to be timed; called by the timers.
    pub(in crate::engine) fn takes_sample(&self) -> bool {
        let now_ms = self.time.mono_ms();
        let sampled_ms = self.meters.sampled_ms.load(Ordering::Relaxed);
        let takes = self.options.counts && now_ms >= sampled_ms.saturating_add(SAMPLE_MS);
        if takes {
            self.meters.sampled_ms.store(now_ms, Ordering::Relaxed);
        }
        takes
    }

    /// Counts a claim whose answer is given outside of the lock of its shard.
    #[inline]
    pub(in crate::engine) fn count_claim(&self, named: Named<'_>, outcome: ClaimOutcome) {
        let mut shard = self.shards.lock(named.digest);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| {
            *counters.claims(outcome) += 1;
        });
    }

    /// Counts claims that have no answer: refused, failed, or given up.
    pub(crate) fn count_unanswered(
        &self,
        namespace: &NamespaceCore,
        claims: usize,
        outcome: ClaimOutcome,
    ) {
        // A thread that only the parent has may hold the lock.
        if claims > 0 && !self.is_forked() {
            // Any shard will do; the columns are summed.
            let mut shard = self.shards.lock_at(claims & (self.shards.len() - 1));
            shard.tallies.count(namespace.column, |counters| {
                *counters.claims(outcome) += to_u64(claims);
            });
        }
    }

    /// Counts claims that ended in an error.
    pub(crate) fn count_errors(&self, namespace: &NamespaceCore, claims: usize, kind: ErrorKind) {
        // In a fork, a thread that only the parent has may hold the lock.
        if self.options.counts && !self.is_forked() {
            let mut errors = self.meters.errors.lock();
            *errors.entry(kind.name()).or_default() += to_u64(claims);
            drop(errors);
            self.count_unanswered(namespace, claims, ClaimOutcome::Error);
        }
    }

    /// Counts the answers of a batch at its end, because any of them can still fail before.
    pub(in crate::engine) fn count_batch(
        &self,
        namespace: &Arc<NamespaceCore>,
        answers: &[Option<ItemAnswer>],
        began_ns: Option<u64>,
    ) {
        let outcome = |answer: &ItemAnswer| match answer {
            ItemAnswer::Answer(answer) => Some(answer.outcome()),
            ItemAnswer::RepeatOf { .. } => Some(ClaimOutcome::Repeat),
            ItemAnswer::Refused(error) => {
                self.count_errors(namespace, 1, error.kind());
                None
            }
        };
        let outcomes = answers.iter().flatten().filter_map(outcome);
        self.count_inserts(namespace, outcomes, began_ns);
    }

    /// As [`count_batch`](Self::count_batch), for keys that were inserted.
    pub(in crate::engine) fn count_inserts(
        &self,
        namespace: &NamespaceCore,
        outcomes: impl Iterator<Item = ClaimOutcome>,
        began_ns: Option<u64>,
    ) {
        let mut sum = Counters::default();
        let mut items = 0;
        for outcome in outcomes {
            *sum.claims(outcome) += 1;
            items += 1;
        }
        if began_ns.is_none() {
            return;
        }
        let mut shard = self.shards.lock_at(items & (self.shards.len() - 1));
        let tallies = &mut shard.tallies;
        tallies.count(namespace.column, |counters| *counters += sum);
        drop(shard);
        self.observe(&self.meters.batches, 0, began_ns);
    }
}
