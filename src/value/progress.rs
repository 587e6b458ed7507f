//! [`Progress`]: how far a long call has come.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a [`Progress`] counts in.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProgressUnit {
    /// Bytes of files.
    Bytes,
    /// Frames of the log, the unit of commit.
    Frames,
}

impl fmt::Display for ProgressUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Frames => "frames",
        })
    }
}

/// How far a long call has come, as the closure is told that was given to it.
///
/// It is told at the beginning, at the end if the call succeeds, and in between about a thousand
/// times at most; on the thread of the call, which goes on when it returns.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::maintenance::Progress;
///
/// let store = Store::in_memory().open()?;
/// store.verify_with(|progress: Progress| eprintln!("{progress}"))?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    done: u64,
    total: u64,
    unit: ProgressUnit,
}

impl Progress {
    /// What is done; never less than before.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// What there is to do, as far as it can be told by now: an estimate, which may change.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What both are counted in.
    #[must_use]
    pub fn unit(&self) -> ProgressUnit {
        self.unit
    }
}

/// `12 of 40 frames`.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.done, self.total, self.unit)
    }
}

/// Counts, and tells now and then.
pub(crate) struct Meter<'a> {
    now: Progress,
    told: u64,
    tell: &'a mut dyn FnMut(Progress),
}

/// The times that a closure is told, at most and about.
const TELLINGS: u64 = 1000;

impl<'a> Meter<'a> {
    pub(crate) fn new(unit: ProgressUnit, tell: &'a mut dyn FnMut(Progress)) -> Self {
        let now = Progress {
            done: 0,
            total: 0,
            unit,
        };
        Self { now, told: 0, tell }
    }

    /// Says how much there is to do, and tells.
    pub(crate) fn expect(&mut self, total: u64) {
        self.now.total = total.max(self.now.done);
        self.told = self.now.done;
        (self.tell)(self.now);
    }

    pub(crate) fn done(&self) -> u64 {
        self.now.done
    }

    pub(crate) fn add(&mut self, more: u64) {
        self.reach(self.now.done.saturating_add(more));
    }

    /// As much as this is done.
    pub(crate) fn reach(&mut self, done: u64) {
        self.now.done = done.max(self.now.done);
        self.now.total = self.now.total.max(self.now.done);
        if self.now.done - self.told > self.now.total / TELLINGS {
            self.told = self.now.done;
            (self.tell)(self.now);
        }
    }

    /// All is done.
    pub(crate) fn finish(mut self) {
        self.now.done = self.now.done.max(self.now.total);
        self.now.total = self.now.done;
        (self.tell)(self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, Progress, ProgressUnit};

    #[test]
    fn it_is_told_at_both_ends_and_not_too_often() {
        let mut told = Vec::new();
        let mut tell = |progress: Progress| told.push(progress);
        let mut meter = Meter::new(ProgressUnit::Frames, &mut tell);
        meter.expect(100_000);
        for _ in 0..120_000 {
            meter.add(1);
        }
        meter.finish();
        assert!(told.len() < 1300, "{}", told.len());
        assert_eq!((told[0].done(), told[0].total()), (0, 100_000));
        let last = told[told.len() - 1];
        assert_eq!((last.done(), last.total()), (120_000, 120_000));
        assert!(told.windows(2).all(|pair| pair[0].done() <= pair[1].done()));
        assert!(told.iter().all(|now| now.done() <= now.total()));
        assert_eq!(last.to_string(), "120000 of 120000 frames");
    }
}
