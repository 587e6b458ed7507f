//! The search for an order, after Wing, Gong and Lowe.
//!
//! The calls of a key are walked through in time, stage by stage: a call is put in order at the
//! latest when it returns. One order is followed as deep as it leads, then the next. Where the
//! same calls lead to the same state, orders are one from then on (`visited.rs`). When that takes too long,
//! all orders are followed side by side instead, which forgets those of earlier stages.

use std::collections::HashSet;

use crate::global::StoreClock;
use crate::history::{Answer, Call, Op, Reopen, Rules};
use crate::spec::{Key, Moment};

mod stages;
mod visited;
pub(crate) mod window;

use self::stages::{Open, Stage, Step, stages};
use self::visited::Visited;

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
    /// The call that no order explains, counted by start; `None` for a reopening.
    pub call: Option<usize>,
    /// The last call before which no call was open.
    pub from: usize,
    /// What the key may have been then.
    pub keys: Vec<Key<'a>>,
}

/// Orders that are tried one after the other without getting further, at most.
const TRIED_MAX: usize = 200_000;
/// Orders that are kept apart side by side, at most.
const ORDERS_MAX: usize = 200_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Order<'a> {
    key: Key<'a>,
    /// One bit for each step that is in it and still open.
    done: u64,
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
    let Some(cut) = stages(rules, calls, reopens) else {
        return Judged {
            verdict: Verdict::GaveUp,
            most_orders: 1,
            most_pending: stages::PENDING_MAX,
        };
    };
    let moment = |call: &&Call| Moment {
        start: call.start,
        end: call.end.unwrap_or(u64::MAX),
        secs: clock.of_call(call),
    };
    let mut search = Search {
        rules,
        calls,
        stages: cut.stages,
        moments: calls.iter().map(moment).collect(),
        most_orders: 1,
    };
    let verdict = search
        .one_by_one(&keys)
        .or_else(|TooMany| search.side_by_side(keys))
        .unwrap_or(Verdict::GaveUp);
    Judged {
        verdict,
        most_orders: search.most_orders,
        most_pending: cut.most_pending,
    }
}

struct Search<'a, 'h> {
    rules: &'h Rules,
    calls: &'h [&'a Call],
    stages: Vec<Stage>,
    moments: Vec<Moment>,
    most_orders: usize,
}

/// There are more orders than fit.
struct TooMany;

impl<'a> Search<'a, '_> {
    /// Follows one order to its end, then the next.
    fn one_by_one(&mut self, keys: &[Key<'a>]) -> Result<Verdict<'a>, TooMany> {
        let mut quiet = Quiet::default();
        let (mut deepest, mut tried) = (0, 0);
        let mut visited = Visited::default();
        let mut open = Vec::new();
        for key in keys {
            quiet.arrive(&self.stages, 0, *key);
            open.push((0, Order { key: *key, done: 0 }));
        }
        while let Some((at, order)) = open.pop() {
            let Some(stage) = self.stages.get(at) else {
                return Ok(Verdict::Holds);
            };
            if at > deepest {
                (deepest, tried) = (at, 0);
            }
            tried += 1;
            if tried > TRIED_MAX {
                return Err(TooMany);
            }
            if !visited.insert(at, &order.key, order.done) {
                continue;
            }
            self.most_orders = self.most_orders.max(visited.at(at));
            if !stage.is_satisfied(order.done) {
                let longer = self.followers(stage, order).into_iter();
                open.extend(longer.map(|order| (at, order)));
            }
            if stage.may_close(order.done) {
                let done = order.done & !stage.closed;
                quiet.arrive(&self.stages, at + 1, order.key);
                open.push((at + 1, Order { done, ..order }));
            }
        }
        Ok(Verdict::Violated(quiet.fault(self.stages.get(deepest))))
    }

    /// Follows all orders, stage by stage.
    fn side_by_side(&mut self, keys: Vec<Key<'a>>) -> Result<Verdict<'a>, TooMany> {
        let mut quiet = Quiet::default();
        let mut orders: Vec<Order<'a>> = Vec::new();
        for key in keys {
            quiet.arrive(&self.stages, 0, key);
            orders.push(Order { key, done: 0 });
        }
        for at in 0..self.stages.len() {
            let stage = &self.stages[at];
            let mut visited = Visited::default();
            let mut kept = HashSet::new();
            let mut open = orders;
            while let Some(order) = open.pop() {
                if !visited.insert(at, &order.key, order.done) {
                    continue;
                }
                if visited.at(at) > ORDERS_MAX {
                    return Err(TooMany);
                }
                if !stage.is_satisfied(order.done) {
                    open.extend(self.followers(stage, order));
                }
                if stage.may_close(order.done) {
                    let done = order.done & !stage.closed;
                    kept.insert(Order { done, ..order });
                }
            }
            if kept.is_empty() {
                return Ok(Verdict::Violated(quiet.fault(Some(stage))));
            }
            self.most_orders = self.most_orders.max(kept.len());
            for order in &kept {
                quiet.arrive(&self.stages, at + 1, order.key);
            }
            orders = kept.into_iter().collect();
        }
        Ok(Verdict::Holds)
    }

    /// The orders that are one step longer; the last one is the likeliest. A call that only looks is
    /// taken as soon as it fits: nothing is gained by putting it later.
    fn followers(&self, stage: &Stage, order: Order<'a>) -> Vec<Order<'a>> {
        let mut longer = Vec::new();
        for open in stage.open.iter().filter(|open| open.may_follow(order.done)) {
            let done = order.done | open.bit;
            let keys = self.keys_after(&order.key, open.step);
            let Step::Call(at) = open.step else {
                longer.extend(keys.into_iter().map(|key| Order { key, done }));
                continue;
            };
            if keys == [order.key] && only_looks(self.calls[at], self.rules) {
                return vec![Order { done, ..order }];
            }
            let exhausted = order
                .key
                .exhausted(self.rules, self.calls[at], &self.moments[at]);
            longer.extend(exhausted.map(|key| Order { key, ..order }));
            longer.extend(keys.into_iter().map(|key| Order { key, done }));
        }
        longer
    }

    fn keys_after(&self, key: &Key<'a>, step: Step) -> Vec<Key<'a>> {
        match step {
            Step::Call(at) => key.after(self.rules, self.calls[at], at, &self.moments[at]),
            Step::Withdraw(at) if key.is_haunted_by(at) => {
                vec![key.withdrawn(at, &self.moments[at])]
            }
            // Taken over or settled meanwhile: nothing is left to take back.
            Step::Withdraw(_) => vec![*key],
            Step::Reopen(_) => vec![key.reopened()],
        }
    }
}

impl Stage {
    fn is_satisfied(&self, done: u64) -> bool {
        done & self.needed == self.needed
    }

    /// What returns is in order, or had no effect.
    fn may_close(&self, done: u64) -> bool {
        self.is_satisfied(done) || self.optional.is_some_and(|call| done & call == 0)
    }
}

impl Open {
    fn may_follow(&self, done: u64) -> bool {
        done & self.bit == 0 && done & self.after == self.after && !self.is_too_early
    }
}

/// The last moment at which no call was open, and what the key may have been then.
#[derive(Default)]
struct Quiet<'a> {
    stage: usize,
    from: usize,
    keys: HashSet<Key<'a>>,
}

impl<'a> Quiet<'a> {
    /// An order has reached this stage.
    fn arrive(&mut self, stages: &[Stage], at: usize, key: Key<'a>) {
        let Some(from) = stages.get(at).and_then(|stage| stage.quiet) else {
            return;
        };
        if at > self.stage {
            self.keys.clear();
        }
        if at >= self.stage {
            (self.stage, self.from) = (at, from);
            self.keys.insert(key);
        }
    }

    /// No order leads further than this stage.
    fn fault(self, stage: Option<&Stage>) -> Fault<'a> {
        Fault {
            call: stage.and_then(|stage| stage.call),
            from: self.from,
            keys: self.keys.into_iter().collect(),
        }
    }
}

/// Whether the call leaves its key as it is, at any place in the order.
fn only_looks(call: &Call, rules: &Rules) -> bool {
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
