//! The oldest segment goes: its audit entries into an archive, then the low mark past it.

use crate::engine::engine::Engine;
use crate::engine::upkeep::compaction::janitor::Dying;
use crate::journal::chore::Chore;
use crate::journal::format::marks::{Archived, Link, LowMark};
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};

impl Engine {
    /// Gives up the oldest segment, so that it can be removed. Before that, its audit entries are in an
    /// archive and the low mark is durable. Each step can be repeated.
    pub(in crate::engine) fn bury(&self, dying: Dying) -> Result<()> {
        let (segment, next) = (dying.segment, dying.segment + 1);
        assert!(
            self.journal.durable() >= dying.after_frame,
            "what made a segment dead is on the medium before the low mark passes it"
        );
        let stats = self.journal.with_tail(|tail| {
            let oldest = tail.census.oldest().copied();
            oldest.filter(|stats| stats.number == segment)
        });
        let archived = self.attempt(Chore::Archive, || {
            stats.map_or(Ok(None), |stats| self.archive(&stats))
        })?;
        let link = self.attempt(Chore::Link, || self.link_of(next))?;
        let low = LowMark {
            segment: next,
            before: link.before,
            checksum: link.checksum,
        };
        self.attempt(Chore::LowMark, || {
            let archived = archived.as_ref().map(Archived::at);
            self.journal.raise_low(low, archived, self.now().mono_ms)
        })?;
        // From here on, a locator into this segment makes its owner look again.
        self.journal.with_tail(|tail| tail.census.drop_oldest());
        Ok(())
    }

    fn link_of(&self, segment: u64) -> Result<Link> {
        let link = self.journal.log().read_link(segment);
        let link = link.while_doing(Chore::Link.doing())?;
        Link::decode(&link).ok_or_else(|| {
            let text =
                format!("the ready marker of segment {segment:016x} is damaged: restore a backup");
            Error::new(ErrorKind::Damaged, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::Error;
    use crate::engine::engine::Engine;
    use crate::engine::options::EngineOptions;
    use crate::engine::upkeep::compaction::janitor::Dying;
    use crate::journal::log::memory_log::memory_log::MemoryLog;
    use crate::runtime::clock::Clock;
    use crate::runtime::sync::Drive;
    use crate::testing::ManualClock;
    use crate::value::durability::Durability;
    use crate::value::policy::Policy;

    /// An engine whose one change is not on the medium.
    fn unsynced() -> Result<Arc<Engine>, Error> {
        let options = EngineOptions {
            durability: Durability::Interval(Duration::from_secs(1)),
            shards: 1,
            max_offline: None,
            write_deadline: Duration::from_secs(1),
            drive: Drive::Clock,
            ..EngineOptions::default()
        };
        let log = MemoryLog::new().session().unwrap();
        let engine = Engine::open(Arc::new(log), Clock::Manual(ManualClock::new()), options)?;
        let jobs = engine.namespace("jobs", Policy::at_least_once())?;
        let key = Arc::from(*b"key");
        // No caller waits for its acknowledgement.
        drop(engine.start_insert(engine.named(&jobs, &key)));
        Ok(engine)
    }

    #[test]
    #[should_panic(expected = "on the medium before the low mark passes it")]
    fn a_segment_does_not_go_before_what_made_it_dead_is_durable() {
        let engine = unsynced().unwrap();
        let after_frame = engine.journal.last_used();
        assert!(engine.journal.durable() < after_frame);
        let _ = engine.bury(Dying {
            segment: 1,
            after_frame,
        });
    }

    /// The first commit after an open has to make its segment first, which can take longer than the window of
    /// the change.
    #[test]
    fn the_first_segment_of_a_run_is_begun_before_a_commit_is_due() {
        let engine = unsynced().unwrap();
        let durable = engine.journal.durable();
        assert_eq!(engine.journal.open_segment(), None);
        engine.journal.commit(engine.now().mono_ms, false);
        assert_eq!(engine.journal.open_segment(), Some(1));
        assert_eq!(engine.journal.durable(), durable, "nothing was due");
        engine.journal.commit(engine.now().mono_ms, true);
        assert_eq!(engine.journal.durable(), engine.journal.last_used());
    }
}
