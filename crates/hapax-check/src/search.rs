//! The search for an order, after Wing, Gong and Lowe: the calls of a key are walked through in
//! time, and every state that some order leads to is kept, with the calls that are in it already.
//!
//! A call is put in order at the latest when it returns. Where the same calls lead to the same
//! state, the orders are one from then on, so the work grows with the calls that overlap, not with
//! the length of the history.

use std::collections::HashSet;

use crate::global::StoreClock;
use crate::history::{Answer, Call, Op, Reopen, Rules};
use crate::spec::{Key, Moment};

/// How a key's history was judged.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    pub verdict: Verdict<'a>,
    pub most_orders: usize,
    pub most_pending: usize,
}

#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    Holds,
    /// More orders are possible than fit.
    GaveUp,
    Violated(Fault<'a>),
}

/// Where no order is left.
#[derive(Clone, Debug)]
pub struct Fault<'a> {
    /// The call that no order explains, counted by start; none for a reopening.
    pub call: Option<usize>,
    /// The last call before which nothing was under way.
    pub from: usize,
    /// What the key may have been then.
    pub keys: Vec<Key<'a>>,
}

/// Orders that are kept apart, and calls that overlap, at most.
const ORDERS_MAX: usize = 200_000;
const PENDING_MAX: usize = 64;

/// What may be put in order next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Call(usize),
    /// The end of a claim whose future was dropped.
    Withdraw(usize),
    Reopen(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Order<'a> {
    key: Key<'a>,
    /// One bit for each slot that is in it.
    done: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Start(usize),
    ReopenStart(usize),
    ReopenEnd(usize),
    End(usize),
}

/// Judges the calls of one key.
#[must_use]
pub fn judge<'a>(
    rules: &Rules,
    clock: &StoreClock,
    calls: &[&'a Call],
    reopens: &[Reopen],
) -> Judged<'a> {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| (call.start, call.end));
    judge_from(rules, clock, &calls, reopens, vec![Key::absent()])
}

/// Judges calls, sorted by their start, of a key that was one of `keys` before.
#[must_use]
pub fn judge_from<'a>(
    rules: &Rules,
    clock: &StoreClock,
    calls: &[&'a Call],
    reopens: &[Reopen],
    keys: Vec<Key<'a>>,
) -> Judged<'a> {
    let moment = |call: &&Call| Moment {
        start: call.start,
        end: call.end.unwrap_or(u64::MAX),
        secs: clock.between(call.start, call.end),
    };
    let mut search = Search {
        rules,
        calls,
        reopens,
        moments: calls.iter().map(moment).collect(),
        slots: Vec::new(),
        orders: keys
            .iter()
            .map(|key| Order { key: *key, done: 0 })
            .collect(),
        quiet: (0, keys),
        most_orders: 1,
        most_pending: 0,
    };
    let verdict = search.run();
    Judged {
        verdict,
        most_orders: search.most_orders,
        most_pending: search.most_pending,
    }
}

struct Search<'a, 'h> {
    rules: &'h Rules,
    calls: &'h [&'a Call],
    reopens: &'h [Reopen],
    moments: Vec<Moment>,
    slots: Vec<Option<Step>>,
    orders: HashSet<Order<'a>>,
    /// The first call after the last moment at which nothing was under way, and the keys then.
    quiet: (usize, Vec<Key<'a>>),
    most_orders: usize,
    most_pending: usize,
}

/// There are more orders than fit.
struct TooMany;

impl<'a> Search<'a, '_> {
    fn run(&mut self) -> Verdict<'a> {
        for (_, event) in self.events() {
            match self.step(event) {
                Ok(true) => {}
                Ok(false) => {
                    let call = match event {
                        Event::End(at) => Some(at),
                        _ => None,
                    };
                    let (from, keys) = self.quiet.clone();
                    return Verdict::Violated(Fault { call, from, keys });
                }
                Err(TooMany) => return Verdict::GaveUp,
            }
        }
        Verdict::Holds
    }

    /// Starts before ends of the same nanosecond: what touches counts as overlapping.
    fn events(&self) -> Vec<(u64, Event)> {
        let mut events = Vec::new();
        for (at, call) in self.calls.iter().enumerate() {
            events.push((call.start, Event::Start(at)));
            let known = call.result != Answer::Unknown;
            events.extend(call.end.filter(|_| known).map(|end| (end, Event::End(at))));
        }
        let first = self.calls.first().map_or(u64::MAX, |call| call.start);
        for (at, reopen) in self.reopens.iter().enumerate() {
            if reopen.end >= first {
                events.push((reopen.start, Event::ReopenStart(at)));
                events.push((reopen.end, Event::ReopenEnd(at)));
            }
        }
        events.sort_unstable();
        events
    }

    /// False when no order is left.
    fn step(&mut self, event: Event) -> Result<bool, TooMany> {
        match event {
            Event::Start(at) => {
                if self.slots.iter().all(Option::is_none) {
                    let keys: HashSet<_> = self.orders.iter().map(|order| order.key).collect();
                    self.quiet = (at, keys.into_iter().collect());
                }
                self.open(Step::Call(at))?;
                if self.is_ghost(at) {
                    self.open(Step::Withdraw(at))?;
                }
            }
            Event::ReopenStart(at) => self.open(Step::Reopen(at))?,
            Event::End(at) => {
                self.put_in_order(Step::Call(at))?;
                self.close(Step::Call(at));
                self.close(Step::Withdraw(at));
            }
            Event::ReopenEnd(at) => {
                self.put_in_order(Step::Reopen(at))?;
                self.close(Step::Reopen(at));
                let lost = |step: &Option<Step>| match step {
                    Some(step @ (Step::Call(at) | Step::Withdraw(at)))
                        if self.calls[*at].result == Answer::Unknown =>
                    {
                        Some(*step)
                    }
                    _ => None,
                };
                let lost: Vec<Step> = self.slots.iter().filter_map(lost).collect();
                lost.into_iter().for_each(|step| self.close(step));
            }
        }
        Ok(!self.orders.is_empty())
    }

    /// The call may have been granted what nobody received.
    fn is_ghost(&self, at: usize) -> bool {
        let call = self.calls[at];
        matches!(call.op, Op::Claim(_))
            && matches!(call.result, Answer::Cancelled | Answer::Unknown)
    }

    fn open(&mut self, step: Step) -> Result<(), TooMany> {
        match self.slots.iter().position(Option::is_none) {
            Some(free) => self.slots[free] = Some(step),
            None if self.slots.len() == PENDING_MAX => return Err(TooMany),
            None => self.slots.push(Some(step)),
        }
        let pending = self.slots.iter().flatten().count();
        self.most_pending = self.most_pending.max(pending);
        Ok(())
    }

    fn close(&mut self, step: Step) {
        let Some(slot) = self.slots.iter().position(|open| *open == Some(step)) else {
            return;
        };
        self.slots[slot] = None;
        let orders = std::mem::take(&mut self.orders).into_iter();
        self.orders = orders
            .map(|order| Order {
                done: order.done & !bit(slot),
                ..order
            })
            .collect();
    }

    /// Keeps the orders that have this step, after trying whatever else may come before it.
    fn put_in_order(&mut self, step: Step) -> Result<(), TooMany> {
        let slot = self.slots.iter().position(|open| *open == Some(step));
        let slot = slot.expect("the step is under way");
        let withdraw = match step {
            Step::Call(at) if self.is_ghost(at) => {
                let wanted = Some(Step::Withdraw(at));
                self.slots.iter().position(|open| *open == wanted)
            }
            _ => None,
        };
        let needed = bit(slot) | withdraw.map_or(0, bit);
        let mut kept = HashSet::new();
        let mut seen = HashSet::new();
        let mut open: Vec<Order<'a>> = Vec::new();
        for order in std::mem::take(&mut self.orders) {
            // A claim that was dropped may have had no effect at all.
            if withdraw.is_some() && order.done & bit(slot) == 0 {
                kept.insert(order);
            }
            if seen.insert(order) {
                open.push(order);
            }
        }
        while let Some(order) = open.pop() {
            if order.done & needed == needed {
                kept.insert(order);
                continue;
            }
            for next in self.followers(order) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
            if seen.len() > ORDERS_MAX {
                return Err(TooMany);
            }
        }
        self.most_orders = self.most_orders.max(kept.len());
        self.orders = kept;
        Ok(())
    }

    /// The orders that are one step longer. A call that only looks is taken as soon as it fits:
    /// nothing is gained by putting it later.
    fn followers(&self, order: Order<'a>) -> Vec<Order<'a>> {
        let mut longer = Vec::new();
        for (slot, step) in self.slots.iter().enumerate() {
            let Some(step) = step.filter(|_| order.done & bit(slot) == 0) else {
                continue;
            };
            if !self.may_follow(order, step) {
                continue;
            }
            let done = order.done | bit(slot);
            let keys = self.keys_after(&order.key, step);
            let looks = matches!(step, Step::Call(at) if only_looks(self.calls[at], self.rules));
            if looks && keys == [order.key] {
                return vec![Order { done, ..order }];
            }
            longer.extend(keys.into_iter().map(|key| Order { key, done }));
            if let Step::Call(at) = step {
                let moment = &self.moments[at];
                let exhausted = order.key.exhausted(self.rules, self.calls[at], moment);
                longer.extend(exhausted.map(|key| Order { key, ..order }));
            }
        }
        longer
    }

    /// A grant is taken back after it was given.
    fn may_follow(&self, order: Order<'a>, step: Step) -> bool {
        let Step::Withdraw(at) = step else {
            return true;
        };
        let grant = Some(Step::Call(at));
        let slot = self.slots.iter().position(|open| *open == grant);
        slot.is_some_and(|slot| order.done & bit(slot) != 0)
    }

    fn keys_after(&self, key: &Key<'a>, step: Step) -> Vec<Key<'a>> {
        match step {
            Step::Call(at) => key.after(self.rules, self.calls[at], at, &self.moments[at]),
            Step::Withdraw(at) if key.is_haunted_by(at) => {
                vec![key.withdrawn(at, &self.moments[at])]
            }
            // Taken over or settled meanwhile: there is nothing to take back.
            Step::Withdraw(_) => vec![*key],
            Step::Reopen(_) => vec![key.reopened()],
        }
    }
}

/// The call leaves its key as it is, wherever it is put.
pub(crate) fn only_looks(call: &Call, rules: &Rules) -> bool {
    match (&call.op, &call.result) {
        (_, Answer::Unknown | Answer::Cancelled) => false,
        (Op::Get | Op::Contains, _) | (_, Answer::Refused(_) | Answer::Flag(false)) => true,
        (Op::Claim(_), Answer::Granted(_)) => false,
        // The claim that finds that no attempt is left writes that down.
        (Op::Claim(_), Answer::Failed(_) | Answer::Mismatch { .. }) => rules.max_attempts.is_none(),
        (Op::Claim(_), _) => true,
        _ => false,
    }
}

fn bit(slot: usize) -> u64 {
    1 << slot
}
