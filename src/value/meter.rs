//! [`Meter`]: counts, and reports the progress now and then.

use crate::value::progress::{Progress, ProgressUnit};

/// Counts, and tells now and then.
pub(crate) struct Meter<'a> {
    now: Progress,
    told: u64,
    tell: &'a mut dyn FnMut(Progress),
}

/// About how often, at most, a closure is called.
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

    /// Sets how much there is to do, and reports it.
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
