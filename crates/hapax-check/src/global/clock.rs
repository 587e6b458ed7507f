//! The store's clock of whole seconds, as its answers tell it.

use crate::history::{Answer, Call, Granted, History};
use crate::report::Violation;

/// It is the first claim that it tells the time of. With a reason the key has a history, whose first
/// claim may be long ago.
fn tells_its_second(granted: &Granted) -> bool {
    granted.attempt == 1 && granted.reason.is_empty()
}

/// What is known of the store's clock of whole seconds, from its own answers: the first grant of a
/// key tells the second in which it was given, and an outcome a second that had come by then.
#[derive(Clone, Debug)]
pub struct StoreClock {
    wall_ms: u64,
    slack_ms: u64,
    /// (end, the highest second told by then), rising.
    told_by: Vec<(u64, u64)>,
    /// (start, the lowest second told by a call from then on), rising.
    told_from: Vec<(u64, u64)>,
}

impl StoreClock {
    /// Collects what a history tells.
    ///
    /// # Errors
    ///
    /// The clock went back, or is further from the wall clock than the meta line allows.
    pub fn of(history: &History) -> Result<Self, Violation> {
        let mut clock = Self {
            wall_ms: history.meta.wall_ms,
            slack_ms: history.meta.store_time_slack_ms,
            told_by: Vec::new(),
            told_from: Vec::new(),
        };
        let mut told: Vec<_> = history
            .grants()
            .filter(|(_, granted, _)| tells_its_second(granted))
            .map(|(call, granted, end)| (call, end, granted.first))
            .collect();
        for (call, end, secs) in &told {
            let (low, high) = clock.by_wall(call.start, *end);
            if *secs < low || *secs > high {
                return Err(Violation {
                    key: None,
                    what: format!(
                        "the store says that it is {secs}, and it must be {low} to {high}"
                    ),
                    shown: vec![call.line(0)],
                });
            }
        }
        for (end, secs) in clock.reached(history) {
            let most = clock.told_by.last().map_or(0, |(_, most)| *most);
            clock.told_by.push((end, most.max(secs)));
        }
        told.sort_by_key(|(call, ..)| std::cmp::Reverse(call.start));
        for (call, _, secs) in &told {
            let least = clock.told_from.last().map_or(u64::MAX, |(_, least)| *least);
            clock.told_from.push((call.start, least.min(*secs)));
        }
        clock.told_from.reverse();
        for (call, end, secs) in told {
            let (low, high) = clock.between(call.start, Some(end));
            if low > secs || secs > high {
                return Err(Violation {
                    key: None,
                    what: format!(
                        "the store says that it is {secs}, and others were told {low} before or {high} after"
                    ),
                    shown: vec![call.line(0)],
                });
            }
        }
        Ok(clock)
    }

    /// By when the clock had reached which second, sorted by the end of the call that shows it.
    fn reached(&self, history: &History) -> Vec<(u64, u64)> {
        let told = history.calls.iter().filter_map(|call| {
            let secs = match &call.result {
                Answer::Granted(granted) => granted.first,
                Answer::Completed(stored) | Answer::Failed(stored) => stored.at,
                _ => return None,
            };
            let end = call.end?;
            // A second still to come is judged with its key.
            (secs <= self.by_wall(call.start, end).1).then_some((end, secs))
        });
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        told
    }

    /// The lowest and the highest second that a call may have been decided in, by its own answer too.
    #[must_use]
    pub fn of_call(&self, call: &Call) -> (u64, u64) {
        match &call.result {
            Answer::Granted(granted) if tells_its_second(granted) => (granted.first, granted.first),
            _ => self.between(call.start, call.end),
        }
    }

    fn by_wall(&self, start: u64, end: u64) -> (u64, u64) {
        let at_ms = |stamp: u64| self.wall_ms.saturating_add(stamp / 1_000_000);
        let low = at_ms(start).saturating_sub(self.slack_ms) / 1000;
        let high = at_ms(end).saturating_add(self.slack_ms) / 1000;
        (low, high)
    }

    /// The lowest and the highest second that a call may have been decided in.
    #[must_use]
    pub fn between(&self, start: u64, end: Option<u64>) -> (u64, u64) {
        let (mut low, mut high) = self.by_wall(start, end.unwrap_or(u64::MAX));
        let before = self.told_by.partition_point(|(told, _)| *told < start);
        if let Some((_, most)) = before.checked_sub(1).and_then(|at| self.told_by.get(at)) {
            low = low.max(*most);
        }
        let after = end.map(|end| self.told_from.partition_point(|(told, _)| *told <= end));
        if let Some((_, least)) = after.and_then(|at| self.told_from.get(at)) {
            high = high.min(*least);
        }
        (low, high)
    }
}
