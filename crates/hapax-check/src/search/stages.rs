//! [`Stage`]s: a key's calls in time, cut where one of them returns and so has to be in the order.

use crate::history::{Answer, Call, Op, Reopen, Rules};

/// Calls that overlap, at most: each has a bit.
pub(super) const PENDING_MAX: usize = 64;

/// What may be put in order next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Call(usize),
    /// The end of a claim whose future was dropped.
    Withdraw(usize),
    Reopen(usize),
}

/// Something that may be put in order at a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) step: Step,
    pub(super) bit: u64,
    /// What has to be in order before it: the grants with lower tokens, and what was done under
    /// them; for a withdrawal, its grant.
    pub(super) after: u64,
    /// Something that has to come before it has not even started.
    pub(super) is_too_early: bool,
}

/// One call, or one reopening, returns.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The call that returns; `None` for a reopening.
    pub(super) call: Option<usize>,
    /// The open steps, in the order in which they are tried: what returns now comes last.
    pub(super) open: Vec<Open>,
    /// The bits that have to be set afterwards.
    pub(super) needed: u64,
    /// The bit of a claim that may have had no effect at all, and then needs no order.
    pub(super) optional: Option<u64>,
    /// The bits of what is over afterwards.
    pub(super) closed: u64,
    /// The first call that started after a moment without open calls, if such a moment came since the
    /// stage before.
    pub(super) quiet: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Start(usize),
    ReopenStart(usize),
    ReopenEnd(usize),
    End(usize),
}

/// Whether the claim may have been granted without its caller receiving the grant.
fn is_ghost(call: &Call) -> bool {
    matches!(call.op, Op::Claim(_)) && matches!(call.result, Answer::Cancelled | Answer::Unknown)
}

/// Starts before ends of the same nanosecond: what touches counts as overlapping.
fn events(calls: &[&Call], reopens: &[Reopen]) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        events.push((call.start, Event::Start(at)));
        let known = call.result != Answer::Unknown;
        events.extend(call.end.filter(|_| known).map(|end| (end, Event::End(at))));
    }
    let first = calls.first().map_or(u64::MAX, |call| call.start);
    for (at, reopen) in reopens.iter().enumerate() {
        if reopen.end >= first {
            events.push((reopen.start, Event::ReopenStart(at)));
            events.push((reopen.end, Event::ReopenEnd(at)));
        }
    }
    events.sort_unstable();
    events.into_iter().map(|(_, event)| event).collect()
}

/// The stages of a key's history, whose calls are sorted by their start; `None` where too many
/// calls overlap.
pub(super) fn stages(rules: &Rules, calls: &[&Call], reopens: &[Reopen]) -> Option<Cut> {
    let mut cutter = Cutter {
        calls,
        before: before(rules, calls, reopens),
        has_ended: vec![false; calls.len()],
        slots: Vec::new(),
        quiet: None,
        cut: Cut::default(),
    };
    for event in events(calls, reopens) {
        cutter.take(event)?;
    }
    Some(cutter.cut)
}

/// The result of [`stages`].
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) stages: Vec<Stage>,
    pub(super) most_pending: usize,
}

struct Cutter<'a, 'h> {
    calls: &'h [&'a Call],
    before: Vec<Vec<usize>>,
    has_ended: Vec<bool>,
    slots: Vec<Option<Step>>,
    quiet: Option<usize>,
    cut: Cut,
}

impl Cutter<'_, '_> {
    /// `None` when too many calls overlap.
    fn take(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Start(at) => {
                if self.slots.iter().all(Option::is_none) {
                    self.quiet = Some(at);
                }
                self.open(Step::Call(at))?;
                if is_ghost(self.calls[at]) {
                    self.open(Step::Withdraw(at))?;
                }
            }
            Event::ReopenStart(at) => self.open(Step::Reopen(at))?,
            Event::End(at) => {
                let withdraw = self.bit(Step::Withdraw(at));
                let call = self.bit(Step::Call(at));
                self.cut(Step::Call(at), Some(at), call | withdraw, call | withdraw);
                self.has_ended[at] = true;
            }
            Event::ReopenEnd(at) => {
                let lost = self.slots.iter().flatten().filter(|step| match step {
                    Step::Call(at) | Step::Withdraw(at) => {
                        self.calls[*at].result == Answer::Unknown
                    }
                    Step::Reopen(_) => false,
                });
                let lost = lost.fold(0, |bits, step| bits | self.bit(*step));
                let reopen = self.bit(Step::Reopen(at));
                self.cut(Step::Reopen(at), None, reopen, reopen | lost);
            }
        }
        Some(())
    }

    fn open(&mut self, step: Step) -> Option<()> {
        match self.slots.iter().position(Option::is_none) {
            Some(free) => self.slots[free] = Some(step),
            None if self.slots.len() == PENDING_MAX => return None,
            None => self.slots.push(Some(step)),
        }
        let pending = self.slots.iter().flatten().count();
        self.cut.most_pending = self.cut.most_pending.max(pending);
        Some(())
    }

    /// No bit for a step that is not open.
    fn bit(&self, step: Step) -> u64 {
        let slot = self.slots.iter().position(|open| *open == Some(step));
        slot.map_or(0, |slot| 1 << slot)
    }

    fn cut(&mut self, returns: Step, call: Option<usize>, needed: u64, closed: u64) {
        let ghost = call.filter(|at| is_ghost(self.calls[*at]));
        let mut open: Vec<Open> = self
            .slots
            .iter()
            .flatten()
            .copied()
            .map(|step| self.step(step))
            .collect();
        open.sort_by_key(|open| std::cmp::Reverse((open.step != returns, self.urgency(open.step))));
        self.cut.stages.push(Stage {
            call,
            open,
            needed,
            optional: ghost.map(|at| self.bit(Step::Call(at))),
            closed,
            quiet: self.quiet.take(),
        });
        for (slot, step) in self.slots.iter_mut().enumerate() {
            if closed & (1 << slot) != 0 {
                *step = None;
            }
        }
    }

    fn step(&self, step: Step) -> Open {
        let (mut after, mut is_too_early) = (0, false);
        if let Step::Call(at) = step {
            for before in &self.before[at] {
                let bit = self.bit(Step::Call(*before));
                is_too_early |= bit == 0 && !self.has_ended[*before];
                after |= bit;
            }
        }
        if let Step::Withdraw(at) = step {
            after = self.bit(Step::Call(at));
        }
        Open {
            step,
            bit: self.bit(step),
            after,
            is_too_early,
        }
    }

    /// What returns sooner is likely to have come sooner.
    fn urgency(&self, step: Step) -> u64 {
        match step {
            Step::Call(at) if is_ghost(self.calls[at]) => u64::MAX,
            Step::Call(at) => self.calls[at].end.unwrap_or(u64::MAX),
            Step::Reopen(_) => 0,
            Step::Withdraw(_) => u64::MAX,
        }
    }
}

/// The calls that have to be in order before each grant: tokens rise, so the grant with the next lower one,
/// and what was done or answered under that.
///
/// A key can return to an older token where the newer run left no record: once it has been forgotten
/// after its lease, or across a reopening. So only calls that end before either are bound.
fn before(rules: &Rules, calls: &[&Call], reopens: &[Reopen]) -> Vec<Vec<usize>> {
    let mut before = vec![Vec::new(); calls.len()];
    let granted = |at: &usize| match &calls[*at].result {
        Answer::Granted(granted) if calls[*at].end.is_some() => Some((granted.token, *at)),
        _ => None,
    };
    let mut grants: Vec<(i64, usize)> = (0..calls.len()).filter_map(|at| granted(&at)).collect();
    grants.sort_unstable();
    for pair in grants.windows(2) {
        let ((token, at), (higher, next)) = (pair[0], pair[1]);
        if token < higher {
            before[next].push(at);
        }
    }
    for (at, call) in calls.iter().enumerate() {
        let (Some(token), Some(end)) = (ends_before_the_next(call), call.end) else {
            continue;
        };
        let next = grants.partition_point(|(granted, _)| *granted <= token);
        let Some((_, next)) = grants.get(next) else {
            continue;
        };
        let start = calls[*next].start;
        let forgotten = start.saturating_add(rules.attempt_secs.saturating_mul(1_000_000_000));
        let reopened = reopens
            .iter()
            .any(|reopen| reopen.start <= end && reopen.end >= start);
        // What starts after the grant has returned is bound by time, and does not fit.
        let overlaps = calls[*next]
            .end
            .is_some_and(|granted| call.start <= granted);
        if overlaps && end < forgotten && !reopened {
            before[*next].push(at);
        }
    }
    before
}

/// The token that is the key's while the call is carried out, where no later one is possible.
fn ends_before_the_next(call: &Call) -> Option<i64> {
    match (&call.op, &call.result) {
        (_, Answer::Completed(stored) | Answer::Failed(stored)) => Some(stored.token),
        (
            Op::Complete { token, .. }
            | Op::Fail { token, .. }
            | Op::Release { token, .. }
            | Op::Doubt { token, .. }
            | Op::Checkpoint { token, .. }
            | Op::Renew { token },
            Answer::Done,
        ) => Some(*token),
        _ => None,
    }
}
