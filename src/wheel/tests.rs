use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proptest::prelude::*;

use crate::wheel::level::LEVELS;
use crate::wheel::{SLAB_KEEP, TRIM_MAX, TimerKey, Wheel};

/// Advances and returns what fired, sorted, after checking that the wheel is whole.
fn fired<T: Ord>(wheel: &mut Wheel<T>, now: u64) -> Vec<(u64, T)> {
    let mut fired = Vec::new();
    wheel.advance(now, &mut |deadline, item| fired.push((deadline, item)));
    wheel.validate();
    fired.sort();
    fired
}

#[test]
fn an_empty_wheel_turns_anywhere() {
    let mut wheel = Wheel::<()>::new(7);
    assert_eq!(
        (wheel.next_deadline(), wheel.now(), wheel.len()),
        (None, 7, 0)
    );
    assert_eq!(format!("{wheel:?}"), "Wheel { now: 7, len: 0, .. }");
    assert_eq!(fired(&mut wheel, u64::MAX), []);
    assert_eq!((wheel.next_deadline(), wheel.now()), (None, u64::MAX));
    assert!(wheel.is_empty() && wheel.levels.iter().all(Option::is_none));
}

#[test]
fn a_timer_fires_on_its_tick_and_not_before() {
    for start in [0, 1, 63, 64, 4095, (1 << 36) - 1, u64::MAX / 2] {
        for distance in [1, 2, 63, 64, 65, 4096, 1 << 20, 1 << 40, 1 << 62] {
            let mut wheel = Wheel::new(start);
            let deadline = start + distance;
            wheel.insert(deadline, 'a');
            assert_eq!(fired(&mut wheel, deadline - 1), []);
            assert_eq!(fired(&mut wheel, deadline), [(deadline, 'a')]);
            assert_eq!(fired(&mut wheel, u64::MAX), []);
        }
    }
}

#[test]
fn a_past_deadline_fires_at_the_next_advance_at_any_tick() {
    let mut wheel = Wheel::new(100);
    wheel.insert(0, 'a');
    wheel.insert(100, 'b');
    assert_eq!(wheel.next_deadline(), Some(0));
    assert_eq!(fired(&mut wheel, 100), [(0, 'a'), (100, 'b')]);
    let key = wheel.insert(90, 'c');
    wheel.insert(95, 'd');
    assert_eq!(wheel.cancel(key), Some('c'));
    wheel.validate();
    // Time does not go back, and the wheel knows that 95 has passed.
    assert_eq!(fired(&mut wheel, 3), [(95, 'd')]);
    assert_eq!((wheel.now(), wheel.next_deadline()), (100, None));
}

#[test]
fn the_last_tick_is_a_deadline_like_any_other() {
    let mut wheel = Wheel::new(0);
    wheel.insert(u64::MAX, 'a');
    wheel.insert(u64::MAX - 1, 'b');
    assert_eq!(fired(&mut wheel, u64::MAX - 1), [(u64::MAX - 1, 'b')]);
    assert_eq!(wheel.next_deadline(), Some(u64::MAX));
    assert_eq!(fired(&mut wheel, u64::MAX), [(u64::MAX, 'a')]);
    wheel.insert(u64::MAX, 'c');
    assert_eq!(fired(&mut wheel, u64::MAX), [(u64::MAX, 'c')]);
}

#[test]
fn an_advance_backwards_changes_nothing() {
    let mut wheel = Wheel::new(1000);
    wheel.insert(1001, 'a');
    assert_eq!(fired(&mut wheel, 5), []);
    assert_eq!((wheel.now(), wheel.next_deadline()), (1000, Some(1001)));
    assert_eq!(fired(&mut wheel, 1001), [(1001, 'a')]);
}

#[test]
fn a_jump_costs_what_expires() {
    let levels = u64::try_from(LEVELS).expect("eleven levels");
    let mut wheel = Wheel::new(12_345);
    wheel.insert(12_345 + 1_000_000_000_000, 'a');
    assert_eq!(fired(&mut wheel, 12_344 + 1_000_000_000_000), []);
    assert!(
        wheel.visited <= levels + 1,
        "{} steps to the eve",
        wheel.visited
    );
    assert_eq!(fired(&mut wheel, u64::MAX).len(), 1);
    assert!(
        wheel.visited <= 2 * (levels + 1),
        "{} steps in all",
        wheel.visited
    );
}

#[test]
fn a_timer_cascades_at_most_once_per_level() {
    let levels = u64::try_from(LEVELS).expect("eleven levels");
    let timers = if cfg!(miri) { 40 } else { 1000 };
    let mut wheel = Wheel::new(0);
    for n in 0..timers {
        wheel.insert((1 << 61) + n * 77_777, n);
    }
    let (mut turns, mut count) = (0, 0);
    while let Some(next) = wheel.next_deadline() {
        wheel.advance(next, &mut |deadline, _| {
            assert_eq!(
                deadline, next,
                "a loop over next_deadline meets every deadline"
            );
            count += 1;
        });
        turns += 1;
    }
    assert_eq!(count, timers);
    assert!(turns <= timers * levels, "{turns} turns");
    // A turn looks at each level once; apart from that only timers and their slots cost.
    assert!(
        wheel.visited <= turns * levels + timers * levels,
        "{} steps",
        wheel.visited
    );
}

#[test]
fn a_key_does_not_outlive_its_timer() {
    let mut wheel = Wheel::new(0);
    let old = wheel.insert(10, 'a');
    assert_eq!(wheel.cancel(old), Some('a'));
    assert_eq!(wheel.cancel(old), None);
    let new = wheel.insert(10, 'b');
    assert_eq!(new.index, old.index);
    assert_eq!(wheel.cancel(old), None);
    assert_eq!(fired(&mut wheel, 10), [(10, 'b')]);
    assert_eq!(wheel.cancel(new), None);
    let newest = wheel.insert(20, 'c');
    assert_eq!(newest.index, old.index);
    assert_eq!((wheel.cancel(old), wheel.cancel(new)), (None, None));
    assert_eq!(wheel.cancel(newest), Some('c'));
    wheel.validate();
}

#[test]
fn keys_stay_stale_after_the_slab_was_given_back_and_grew_again() {
    let timers = if cfg!(miri) { 100 } else { 1000 };
    let mut wheel = Wheel::new(0);
    let old: Vec<_> = (0..timers).map(|n| wheel.insert(n, n)).collect();
    assert_eq!(fired(&mut wheel, 1000).len(), old.len());
    assert!(wheel.slab.entries.capacity() <= SLAB_KEEP);
    let new: Vec<_> = (0..timers).map(|n| wheel.insert(5000 + n, n)).collect();
    assert!(old.iter().all(|key| wheel.cancel(*key).is_none()));
    assert!(new.iter().all(|key| wheel.cancel(*key).is_some()));
    wheel.validate();
}

#[test]
fn memory_follows_the_number_of_timers() {
    let timers = if cfg!(miri) { 200 } else { 10_000 };
    let mut wheel = Wheel::new(0);
    let keys: Vec<_> = (0..timers)
        .map(|n| wheel.insert(1 << (59 - n % 60), n))
        .collect();
    assert_eq!(wheel.levels.iter().flatten().count(), LEVELS - 1);
    // The first timer stays, and oldest first is the order that frees the end of the slab last.
    for key in &keys[1..] {
        wheel.cancel(*key);
    }
    for now in 1..=timers / TRIM_MAX as u64 {
        assert_eq!(fired(&mut wheel, now), []);
    }
    assert!(wheel.slab.entries.capacity() <= SLAB_KEEP);
    assert_eq!(wheel.levels.iter().flatten().count(), 1);
    assert_eq!(fired(&mut wheel, 1 << 59), [(1 << 59, 0)]);
    assert_eq!(wheel.levels.iter().flatten().count(), 0);
    assert!(size_of::<Wheel<u32>>() <= 192 && size_of::<TimerKey>() == 8);
}

#[test]
fn a_panic_in_fire_loses_nothing_else() {
    let mut wheel = Wheel::new(0);
    for deadline in 1..=200 {
        wheel.insert(deadline, deadline);
    }
    let mut seen = Vec::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        wheel.advance(150, &mut |deadline, _| {
            seen.push(deadline);
            if seen.len() == 40 {
                resume_unwind(Box::new("the caller's panic"));
            }
        });
    }));
    assert!(unwound.is_err());
    wheel.validate();
    assert_eq!((wheel.now(), wheel.len(), seen.len()), (150, 160, 40));
    let next = wheel.next_deadline().expect("110 timers are due");
    assert!(next <= 41);
    wheel.advance(next, &mut |deadline, _| seen.push(deadline));
    seen.sort_unstable();
    assert_eq!(seen, (1..=150).collect::<Vec<u64>>());
    assert_eq!(fired(&mut wheel, 200).len(), 50);
}

#[test]
fn generations_wrap() {
    let mut wheel = Wheel::new(0);
    wheel.slab.generation = u32::MAX;
    let last = wheel.insert(1, 'a');
    let first = wheel.insert(2, 'b');
    assert_eq!((last.generation, first.generation), (u32::MAX, 0));
    assert_eq!(
        (wheel.cancel(last), wheel.cancel(first)),
        (Some('a'), Some('b'))
    );
}

/// A tick to insert at or advance to, made absolute when its turn comes.
#[derive(Clone, Copy, Debug)]
enum Tick {
    Absolute(u64),
    Ahead(u64),
    Behind(u64),
    NextDeadline,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Insert(Tick),
    /// Cancels the key of the n-th insert, modulo their number, stale or not.
    Cancel(usize),
    /// Cancels remaining timers, up to this many.
    CancelMany(usize),
    Advance(Tick),
    /// Advances with a `fire` that panics at the n-th timer.
    AdvanceAndPanic(Tick, usize),
}

/// Distances of every magnitude, and the neighbours of slot boundaries.
fn distance(most_bits: u32) -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..most_bits, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1)),
        (0..most_bits, 0..3_u64).prop_map(|(bit, near)| (1_u64 << bit).wrapping_add(near) - 1),
    ]
}

fn insert_at() -> impl Strategy<Value = Tick> {
    prop_oneof![
        1 => prop_oneof![Just(0), Just(u64::MAX), Just(u64::MAX - 1)].prop_map(Tick::Absolute),
        1 => any::<u64>().prop_map(Tick::Absolute),
        1 => distance(20).prop_map(Tick::Behind),
        4 => distance(14).prop_map(Tick::Ahead),
        4 => distance(64).prop_map(Tick::Ahead),
    ]
}

fn advance_to() -> impl Strategy<Value = Tick> {
    prop_oneof![
        1 => distance(20).prop_map(Tick::Behind),
        6 => distance(14).prop_map(Tick::Ahead),
        4 => distance(56).prop_map(Tick::Ahead),
        6 => Just(Tick::NextDeadline),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => insert_at().prop_map(Op::Insert),
        12 => any::<usize>().prop_map(Op::Cancel),
        1 => (0..100_usize).prop_map(Op::CancelMany),
        20 => advance_to().prop_map(Op::Advance),
        2 => (advance_to(), 1..4_usize).prop_map(|(to, nth)| Op::AdvanceAndPanic(to, nth)),
    ]
}

/// The wheel next to a sorted map of (deadline, number of the insert).
struct Pair {
    wheel: Wheel<usize>,
    model: BTreeMap<(u64, usize), TimerKey>,
    /// What every insert returned, with its deadline.
    inserted: Vec<(TimerKey, u64)>,
    now: u64,
}

impl Pair {
    fn new(now: u64) -> Self {
        Self {
            wheel: Wheel::new(now),
            model: BTreeMap::new(),
            inserted: Vec::new(),
            now,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(at) => {
                let (deadline, number) = (self.tick(at), self.inserted.len());
                let key = self.wheel.insert(deadline, number);
                self.inserted.push((key, deadline));
                self.model.insert((deadline, number), key);
            }
            Op::Cancel(nth) => {
                if let Some(number) = nth.checked_rem(self.inserted.len()) {
                    self.cancel(number);
                }
            }
            Op::CancelMany(count) => {
                let numbers: Vec<_> = self.model.keys().map(|(_, number)| *number).collect();
                numbers
                    .into_iter()
                    .rev()
                    .take(count)
                    .for_each(|number| self.cancel(number));
            }
            Op::Advance(to) => self.advance(to, usize::MAX),
            Op::AdvanceAndPanic(to, nth) => self.advance(to, nth),
        }
        self.check();
    }

    fn cancel(&mut self, number: usize) {
        let (key, deadline) = self.inserted[number];
        let expected = self.model.remove(&(deadline, number)).map(|_| number);
        assert_eq!(self.wheel.cancel(key), expected);
    }

    fn advance(&mut self, to: Tick, panic_at: usize) {
        let to = self.tick(to);
        let before = self.wheel.next_deadline();
        self.now = self.now.max(to);
        let mut fired = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.wheel.advance(to, &mut |deadline, number| {
                fired.push((deadline, number));
                if fired.len() == panic_at {
                    resume_unwind(Box::new(()));
                }
            });
        }));
        assert_eq!(result.is_err(), fired.len() == panic_at);
        for timer in &fired {
            assert!(timer.0 <= self.now, "{timer:?} is early at {}", self.now);
            assert!(self.model.remove(timer).is_some(), "{timer:?} fired twice");
        }
        if result.is_ok() {
            let late = self.model.range(..=(self.now, usize::MAX)).next();
            assert_eq!(late, None, "not fired at {}", self.now);
            if before == Some(to) && fired.is_empty() {
                assert!(self.wheel.next_deadline() > before, "no progress at {to}");
            }
        }
    }

    fn tick(&self, tick: Tick) -> u64 {
        match tick {
            Tick::Absolute(tick) => tick,
            Tick::Ahead(distance) => self.now.saturating_add(distance),
            Tick::Behind(distance) => self.now.saturating_sub(distance),
            Tick::NextDeadline => self.wheel.next_deadline().unwrap_or(self.now),
        }
    }

    fn check(&self) {
        self.wheel.validate();
        assert_eq!(self.wheel.now(), self.now);
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let earliest = self.model.keys().next().map(|(deadline, _)| *deadline);
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), earliest.is_some());
        assert!(next <= earliest, "{next:?} is later than {earliest:?}");
    }

    /// Follows `next_deadline` to the end, one tick early each time as well.
    fn drain(&mut self) {
        let most = (self.model.len() + 1) * (LEVELS + 1);
        for _ in 0..most {
            let Some(next) = self.wheel.next_deadline() else {
                return;
            };
            let waiting = self.wheel.len();
            if next > self.now {
                self.apply(Op::Advance(Tick::Absolute(next - 1)));
                assert_eq!(
                    self.wheel.len(),
                    waiting,
                    "a timer fired before the next deadline"
                );
            }
            self.apply(Op::Advance(Tick::Absolute(next)));
        }
        panic!("{} timers are left after {most} turns", self.wheel.len());
    }
}

/// The wheel is counted again after each operation, which takes an interpreter long.
const OPS_MAX: usize = if cfg!(miri) { 10 } else { 200 };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_wheel_is_a_sorted_map(
        start in prop_oneof![Just(0), distance(64), Just(u64::MAX - 5000)],
        ops in prop::collection::vec(op(), 0..OPS_MAX),
    ) {
        let mut pair = Pair::new(start);
        for op in ops {
            pair.apply(op);
        }
        pair.drain();
    }
}

/// Memory is given back by halves: what stays has room for as much again, so that a wheel whose size
/// swings does not allocate at every turn.
#[test]
fn memory_is_given_back_by_halves() {
    let mut wheel = Wheel::new(0);
    let keys: Vec<_> = (0..1024_u64).map(|n| wheel.insert(1000 + n, n)).collect();
    let full = wheel.slab.entries.capacity();
    for key in keys[257..].iter().rev() {
        wheel.cancel(*key);
    }
    assert_eq!(wheel.slab.entries.len(), 257);
    assert_eq!(
        wheel.slab.entries.capacity(),
        full,
        "over a quarter is in use"
    );
    wheel.cancel(keys[256]);
    assert_eq!(wheel.slab.entries.capacity(), 512, "room for as much again");
    // A small slab keeps its memory, and one of just that size is small.
    let mut small = Wheel::new(0);
    small.slab.entries.reserve_exact(SLAB_KEEP);
    let key = small.insert(1, 0);
    small.cancel(key);
    assert_eq!(small.slab.entries.capacity(), SLAB_KEEP);
    wheel.validate();
}

/// The tests above bound how many steps a turn takes: that means nothing unless steps are counted.
#[test]
fn the_steps_of_a_turn_are_counted() {
    let mut wheel = Wheel::new(0);
    wheel.insert(1 << 20, ());
    wheel.advance(1 << 19, &mut |_, ()| {});
    let first = wheel.visited;
    assert!(first > 0);
    wheel.advance((1 << 20) - 1, &mut |_, ()| {});
    assert!(wheel.visited > first);
}

/// Breaks a wheel of three timers, one of them due: `validate` has to notice.
fn notices(breaks: impl FnOnce(&mut Wheel<char>)) -> bool {
    let mut wheel = Wheel::new(100);
    wheel.insert(50, 'a');
    wheel.insert(200, 'b');
    wheel.insert(5000, 'c');
    wheel.validate();
    breaks(&mut wheel);
    catch_unwind(AssertUnwindSafe(|| wheel.validate())).is_err()
}

#[test]
fn a_broken_wheel_is_noticed() {
    assert!(!notices(|_| {}));
    assert!(notices(|wheel| wheel.slab.live += 1));
    assert!(notices(|wheel| wheel.slab.free = 1));
    assert!(notices(|wheel| wheel.slab.entries[1].item = None));
    assert!(notices(|wheel| wheel.slab.entries[1].deadline = 5000));
    assert!(notices(|wheel| wheel.slab.entries[2].next = 1));
    assert!(notices(|wheel| wheel.due = crate::wheel::NIL));
    assert!(notices(|wheel| wheel.due_from = 51));
    assert!(notices(|wheel| wheel.now = 250));
    assert!(notices(|wheel| wheel.levels[1] = None));
}
