//! Runs work on ever new keys, by one caller or many, until there were enough or the time is up.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::keys::{Key, fill};
use crate::engine::{Engine, Session};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;
use crate::rows::number::as_f64;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Threads, each with its own session.
    pub callers: usize,
    /// The number of the first key.
    pub first: u64,
    /// Keys that are enough.
    pub keys: u64,
    /// Keys of one piece of work; between two of them the time is looked at.
    pub chunk: u64,
    /// When it ends with fewer keys.
    pub limit: Duration,
}

/// What was done.
#[derive(Clone, Copy, Default, Debug)]
pub struct Done {
    /// Keys that were worked on, each of them granted.
    pub keys: u64,
    /// The time that it took.
    pub taken: Duration,
}

impl Done {
    /// Keys in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        as_f64(self.keys) / self.taken.as_secs_f64()
    }
}

impl Load {
    /// Works with `work` on all keys; each of them has to be granted.
    ///
    /// With one caller only `work` is timed, and `after` runs between the pieces. With several the
    /// clock runs from their common start until the last is done, `after` included.
    ///
    /// # Errors
    /// Every error of the engine, and a count of grants that is not the count of keys.
    pub fn run(
        &self,
        engine: &dyn Engine,
        work: impl Fn(&mut dyn Session, &[Key]) -> Outcome<usize> + Sync,
        after: impl Fn(&mut dyn Session) -> Outcome<()> + Sync,
    ) -> Outcome<Done> {
        if self.callers == 1 {
            return self.alone(&mut *engine.session()?, work, after);
        }
        let turn = Turn {
            load: *self,
            next: AtomicU64::new(self.first),
            stopped: AtomicBool::new(false),
            start: Barrier::new(self.callers),
        };
        let results: Vec<Outcome<Done>> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..self.callers)
                .map(|_| scope.spawn(|| turn.take_part(engine, &work, &after)))
                .collect();
            let joined = callers.into_iter().map(|caller| {
                caller
                    .join()
                    .unwrap_or_else(|_| Err("a caller panicked".into()))
            });
            joined.collect()
        });
        let mut all = Done::default();
        for done in results {
            let done = done?;
            all.keys += done.keys;
            all.taken = all.taken.max(done.taken);
        }
        Ok(all)
    }

    fn alone(
        &self,
        session: &mut dyn Session,
        work: impl Fn(&mut dyn Session, &[Key]) -> Outcome<usize>,
        after: impl Fn(&mut dyn Session) -> Outcome<()>,
    ) -> Outcome<Done> {
        let mut keys = Vec::new();
        let mut done = Done::default();
        while done.keys < self.keys && done.taken < self.limit {
            let count = self.chunk.min(self.keys - done.keys);
            fill(&mut keys, self.first + done.keys, count);
            let watch = Stopwatch::start();
            let granted = work(session, &keys)?;
            done.taken += watch.elapsed();
            all_granted(granted, keys.len())?;
            after(session)?;
            done.keys += count;
        }
        Ok(done)
    }
}

/// What the callers of one load share.
struct Turn {
    load: Load,
    next: AtomicU64,
    stopped: AtomicBool,
    start: Barrier,
}

impl Turn {
    fn take_part(
        &self,
        engine: &dyn Engine,
        work: &(impl Fn(&mut dyn Session, &[Key]) -> Outcome<usize> + Sync),
        after: &(impl Fn(&mut dyn Session) -> Outcome<()> + Sync),
    ) -> Outcome<Done> {
        let session = engine.session();
        self.start.wait();
        let watch = Stopwatch::start();
        let mut session = session?;
        let worked = self.work(&mut *session, watch, work, after);
        if worked.is_err() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        Ok(Done {
            keys: worked?,
            taken: watch.elapsed(),
        })
    }

    fn work(
        &self,
        session: &mut dyn Session,
        watch: Stopwatch,
        work: &impl Fn(&mut dyn Session, &[Key]) -> Outcome<usize>,
        after: &impl Fn(&mut dyn Session) -> Outcome<()>,
    ) -> Outcome<u64> {
        let end = self.load.first + self.load.keys;
        let mut keys = Vec::new();
        let mut done = 0;
        while watch.elapsed() < self.load.limit && !self.stopped.load(Ordering::Relaxed) {
            let from = self.next.fetch_add(self.load.chunk, Ordering::Relaxed);
            if from >= end {
                break;
            }
            let count = self.load.chunk.min(end - from);
            fill(&mut keys, from, count);
            all_granted(work(session, &keys)?, keys.len())?;
            after(session)?;
            done += count;
        }
        Ok(done)
    }
}

/// A row is void unless the engine really deduplicates.
///
/// # Errors
/// When the counts differ.
pub fn all_granted(granted: usize, keys: usize) -> Outcome<()> {
    if granted == keys {
        Ok(())
    } else {
        Err(format!("{granted} keys were granted or answered, not {keys}: the row is void").into())
    }
}
