//! The table against a sorted map, and each of its invariants broken on purpose.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::state::slab::SlabRef;
use crate::state::slot::{Place, Settled, Slot};
use crate::state::table::array::{CHUNK, TAIL, is_taken};
use crate::state::table::{HOMES_MIN, PART, STEP, Sieve, Table, limit, most};
use crate::value::digest::Digest;
use crate::value::locator::Locator;
use crate::value::time::NEVER;

fn digest(a: u32, b: u32) -> Digest {
    Digest {
        words: [a, b, 0],
        route: 0,
    }
}

fn slot(digest: Digest, frame: u64, expires_at: u32) -> Slot {
    let locator = Locator { frame, offset: 0 };
    Slot::new(
        digest,
        Place::Settled(Settled::Completed, locator),
        expires_at,
    )
}

/// Lets everything stay.
const NOTHING: Sieve = Sieve {
    store_secs: 0,
    durable: 0,
};

impl Table {
    fn homes(&self) -> usize {
        self.slots.homes
    }

    /// Places that have been left in the moves so far of this one.
    fn left(&self) -> usize {
        self.moving.as_ref().map_or(0, |moving| moving.next)
    }

    fn swap(&mut self, a: usize, b: usize) {
        let words = *self.slots.place(a);
        *self.slots.place(a) = *self.slots.place(b);
        *self.slots.place(b) = words;
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(u32, u32, u32),
    Remove(u32, u32),
    Sweep(u32),
}

/// First words from all over the range, from one home, and from its two ends.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => (0..64_u32).prop_map(|word| word.wrapping_mul(0x0400_0001)),
        1 => 0x8000_0000..0x8000_0008_u32,
        1 => Just(0_u32),
        1 => u32::MAX - 3..=u32::MAX,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (word(), 0..3_u32, 1..100_u32).prop_map(|(a, b, at)| Act::Put(a, b, at)),
        4 => (word(), 0..3_u32).prop_map(|(a, b)| Act::Remove(a, b)),
        1 => (0..100_u32).prop_map(Act::Sweep),
    ]
}

proptest! {
    #[test]
    fn a_table_is_a_map(acts in proptest::collection::vec(act(), 0..if cfg!(miri) { 40 } else { 400 })) {
        let mut table = Table::default();
        let mut model: BTreeMap<(u32, u32), Slot> = BTreeMap::new();
        for (act, frame) in acts.into_iter().zip(1..) {
            match act {
                Act::Put(a, b, expires_at) => {
                    let slot = slot(digest(a, b), frame, expires_at);
                    // Nothing expires at zero, so growing lets nothing go.
                    table.put(slot, 0);
                    model.insert((a, b), slot);
                }
                Act::Remove(a, b) => {
                    prop_assert_eq!(table.remove(digest(a, b)), model.remove(&(a, b)));
                }
                Act::Sweep(store_secs) => {
                    let before = model.len();
                    model.retain(|_, slot| !slot.is_expired(store_secs));
                    prop_assert_eq!(table.sweep(store_secs, 0), before - model.len());
                }
            }
            table.validate();
            prop_assert_eq!(table.len(), model.len());
        }
        for (&(a, b), slot) in &model {
            prop_assert_eq!(table.get(digest(a, b)), Some(*slot));
        }
        prop_assert_eq!(table.get(digest(7, 9)), None);
        let mut listed: Vec<_> = table.iter().map(|slot| slot.words()).collect();
        let mut expected: Vec<_> = model.values().map(|slot| slot.words()).collect();
        listed.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(listed, expected);
    }
}

/// Every phase of a move, with all that may happen to a key in it: what has expired may go, nothing else.
#[test]
fn a_table_that_moves_is_a_map() {
    let (seeds, acts, keys) = if cfg!(miri) {
        (1, 400, 150)
    } else {
        (6, 6000, 2500)
    };
    for seed in 0..seeds {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut table = Table::default();
        let mut model: BTreeMap<u32, Slot> = BTreeMap::new();
        let (mut phases, mut store_secs) = (BTreeSet::new(), 1);
        for frame in 1..acts {
            // A few first words are shared by many keys.
            let number = random.below(keys);
            let word = if number % 16 == 0 {
                number % 64
            } else {
                number
            };
            let of = digest(word.wrapping_mul(0x9e37_79b9), number);
            store_secs += u32::from(random.below(8) == 0);
            if random.below(4) == 0 {
                let removed = table.remove(of);
                assert!(removed.is_none() || removed == model.get(&number).copied());
                model.remove(&number);
            } else if random.below(500) == 0 {
                table.sweep(store_secs, 0);
                model.retain(|_, slot| !slot.is_expired(store_secs));
                assert_eq!(table.len(), model.len());
            } else {
                let life = [40, 400, 4000][usize::try_from(random.below(3)).unwrap()];
                let slot = slot(of, frame, store_secs + life);
                table.put(slot, store_secs);
                model.insert(number, slot);
            }
            table.validate();
            let found = table.get(of);
            assert_eq!(
                found,
                model.get(&number).copied(),
                "seed {seed}, act {frame}"
            );
            phases.extend(table.moving.iter().map(|moving| moving.next / STEP));
        }
        let listed: BTreeMap<_, _> = table.iter().map(|slot| (slot.words()[1], slot)).collect();
        for (number, slot) in &model {
            let found = listed.get(number);
            let gone = found.is_none() && slot.is_expired(store_secs);
            assert!(gone || found == Some(slot), "seed {seed}, key {number}");
        }
        assert!(listed.keys().all(|number| model.contains_key(number)));
        assert!(cfg!(miri) || phases.len() > 10, "seed {seed}: {phases:?}");
    }
}

/// Numbers that look random: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed >> 33) % u64::from(end)).unwrap()
    }
}

/// However large a table is, an insert moves a few slots on, and makes or gives back a chunk or two.
#[test]
fn an_insert_moves_a_few_slots() {
    let mut random = Random(7);
    let mut table = Table::default();
    let keys = if cfg!(miri) { 4000 } else { 300_000 };
    let mut moves = 0;
    for n in 0..keys {
        let before = (table.left(), table.memory_bytes());
        let word = random.below(1 << 31) << 1;
        // One in nine has expired when it is met, which is too few to do without growing.
        let expires_at = if n % 9 == 0 { 1 } else { NEVER };
        table.put(slot(digest(word, n), 1, expires_at), 2);
        assert!(table.len() <= limit(table.homes()));
        let after = (table.left(), table.memory_bytes());
        // Two steps where a move begins; digests of one first word go together.
        let left = before.0.min(after.0);
        assert!(after.0 - left <= 2 * STEP + 8, "{before:?} to {after:?}");
        let chunk = 2 * CHUNK * size_of::<Slot>() + table.homes() / 8;
        assert!(
            before.1.abs_diff(after.1) <= chunk,
            "{before:?} to {after:?}"
        );
        moves += usize::from(table.moving.is_some());
    }
    assert!(moves > 0);
}

/// A part of a sweep looks at a bounded number of places, and all parts together at every slot.
#[test]
fn a_sweep_goes_in_parts() {
    let mut table = Table::default();
    let keys = if cfg!(miri) { 300 } else { 60_000 };
    let spread = |n: u32| digest(n.wrapping_mul(0x9e37_79b9), n);
    let expires_at = |n: u32| if n % 3 == 0 { 10 } else { NEVER };
    for n in 0..keys {
        table.put(slot(spread(n), 1, expires_at(n)), 0);
    }
    let (mut from, mut parts) = (Some(0), 0_u32);
    while let Some(word) = from {
        let before = table.len();
        from = table.sweep_part(word, 10, 0);
        table.validate();
        assert!(before - table.len() <= PART, "slots that one part takes");
        // Keys come in between.
        let n = keys + parts;
        table.put(slot(spread(n), 1, NEVER), 10);
        parts += 1;
    }
    assert!(cfg!(miri) || parts > 10);
    let left = (0..keys + parts).filter(|n| table.get(spread(*n)).is_some());
    let expected = (0..keys + parts).filter(|n| *n >= keys || n % 3 != 0);
    assert!(left.eq(expected));
}

/// More keys of one home than fit between it and the end.
#[test]
fn keys_of_the_last_home_have_room() {
    let mut table = Table::default();
    for b in 0..200 {
        table.put(slot(digest(u32::MAX, b), 1, NEVER), 0);
        table.validate();
    }
    assert_eq!(table.len(), 200);
    assert!((0..200).all(|b| table.get(digest(u32::MAX, b)).is_some()));
    // The end moved by a few slots at a time, however long the run.
    assert!(table.memory_bytes() < 32 * 1024, "{}", table.memory_bytes());
}

#[test]
fn memory_follows_the_keys_down() {
    let mut table = Table::default();
    let spread = |n: u32| digest(n.wrapping_mul(0x9e37_79b9), n);
    let (keys, share) = if cfg!(miri) { (3000, 8) } else { (50_000, 64) };
    let gone = keys - 100;
    for n in 0..keys {
        table.put(slot(spread(n), 1, if n < gone { 10 } else { NEVER }), 0);
    }
    let full = table.memory_bytes();
    // Half more than the slots themselves, and a little: what the store promises for a key.
    assert!(full < keys as usize * 24 * 2, "{full} bytes");
    assert!(full > keys as usize * 24, "{full} bytes");
    assert_eq!(table.sweep(10, 0), gone as usize);
    table.validate();
    assert_eq!(table.len(), 100);
    assert!(
        table.memory_bytes() < full / share,
        "{}",
        table.memory_bytes()
    );
    assert!((gone..keys).all(|n| table.get(spread(n)).is_some()));
}

/// Expired slots go before a table grows, so a table of short-lived keys does not grow with them.
#[test]
fn what_has_expired_makes_room() {
    let mut table = Table::default();
    let spread = |n: u32| digest(n.wrapping_mul(0x9e37_79b9), n);
    for n in 0..if cfg!(miri) { 4000 } else { 100_000_u32 } {
        table.put(slot(spread(n), 1, n / 100 + 1), n / 100);
    }
    assert!(table.memory_bytes() < 32 * 1024, "{}", table.memory_bytes());
}

/// A put is quick where there is room: nothing is swept for it.
#[test]
fn what_has_expired_stays_while_there_is_room() {
    let mut table = Table::default();
    table.put(slot(digest(1, 0), 1, 10), 0);
    table.put(slot(digest(2, 0), 1, 10), 5);
    table.put(slot(digest(3, 0), 1, 99), 50);
    assert_eq!(table.len(), 3);
}

/// When a sweep has made enough room, the table stays as large as it is.
#[test]
fn a_table_that_was_swept_does_not_grow_as_well() {
    let mut table = Table::default();
    let spread = |n: u32| digest(n.wrapping_mul(0x9e37_79b9), n);
    let mut keys = 0;
    while table.homes() < 256 || table.moving.is_some() || table.len() < most(table.homes()) {
        table.put(
            slot(spread(keys), 1, if keys % 2 == 0 { 10 } else { NEVER }),
            0,
        );
        keys += 1;
    }
    let (homes, full) = (table.homes(), table.len());
    let mut more = 0;
    while more == 0 || table.moving.is_some() {
        table.put(slot(spread(keys + more), 1, NEVER), 10);
        more += 1;
    }
    let left = full / 2 + usize::try_from(more).unwrap();
    assert_eq!((table.homes(), table.len()), (homes, left));
}

/// Memory is given back by large tables that have become nearly empty, and by no others.
#[test]
fn a_sweep_that_frees_little_leaves_the_table_as_large_as_it_is() {
    let spread = |n: u32| digest(n.wrapping_mul(0x9e37_79b9), n);
    for (keys, stay) in [(400_u32, 1), (1600, 1200), (1600, 400)] {
        let mut table = Table::default();
        for n in 0..keys {
            table.put(slot(spread(n), 1, if n < stay { NEVER } else { 10 }), 0);
        }
        let homes = table.homes();
        table.sweep(10, 0);
        table.validate();
        assert_eq!(table.homes(), homes, "{stay} of {keys} stay");
    }
}

/// The last run ends one slot before the end, also where a table was moved.
#[test]
fn a_table_that_is_moved_has_room_after_its_last_run() {
    for keys in TAIL..TAIL + 4 {
        let mut table = Table::default();
        for b in (0..).take(keys) {
            table.put(slot(digest(u32::MAX, b), 1, NEVER), 0);
        }
        table.move_to(400);
        table.settle(NOTHING);
        table.validate();
    }
}

/// A table of two slots in one run, and one apart from them.
fn whole() -> Table {
    let mut table = Table::default();
    for word in [0, 1, u32::MAX / 2] {
        table.put(slot(digest(word, 0), 1, NEVER), 0);
    }
    table.validate();
    table
}

#[test]
#[should_panic(expected = "slots that are taken")]
fn a_slot_that_nobody_counted() {
    let mut table = whole();
    *table.slots.place(5) = *table.slots.place(0);
    table.validate();
}

#[test]
#[should_panic(expected = "so many homes may be taken")]
fn a_table_that_is_too_full() {
    let mut table = whole();
    table.slots.reach(HOMES_MIN);
    for at in 0..HOMES_MIN {
        let word = u32::try_from(at).unwrap() << 28;
        *table.slots.place(at) = slot(digest(word, 0), 1, NEVER).words();
    }
    table.len = HOMES_MIN;
    assert!(table.len > limit(table.homes()));
    table.validate();
}

#[test]
#[should_panic(expected = "slots are sorted")]
fn slots_out_of_order() {
    let mut table = whole();
    table.swap(0, 1);
    table.validate();
}

#[test]
#[should_panic(expected = "nothing is empty between a slot and its home")]
fn a_slot_away_from_its_home() {
    let mut table = whole();
    table.swap(1, 2);
    table.validate();
}

#[test]
#[should_panic(expected = "nothing is empty between a slot and its home")]
fn a_slot_before_its_home() {
    let mut table = whole();
    let at = table.slots.places(0).filter(|(_, words)| is_taken(words));
    let at = at.last().unwrap().0;
    table.swap(at, at - 1);
    table.validate();
}

#[test]
fn a_slot_expires_on_its_second_or_never() {
    let at = |expires_at| slot(digest(1, 0), 1, expires_at);
    assert!(!at(100).is_expired(99));
    assert!(at(100).is_expired(100) && at(100).is_expired(101));
    assert!(!at(NEVER).is_expired(NEVER));
}

#[test]
fn a_sweep_takes_what_expired_and_what_is_durably_forgotten() {
    let completed = Place::Settled(
        Settled::Completed,
        Locator {
            frame: 1,
            offset: 0,
        },
    );
    let forgotten = |frame| Place::Settled(Settled::Forgotten, Locator { frame, offset: 0 });
    let running = Place::Running(SlabRef {
        index: 0,
        generation: 1,
    });
    let mut table = Table::default();
    for (word, place, expires_at) in [
        (0, completed, 100),
        (1, completed, 101),
        (2, completed, NEVER),
        (3, forgotten(7), NEVER),
        (4, forgotten(8), NEVER),
        // Expiry is no business of one that is running.
        (5, running, 1),
    ] {
        table.put(Slot::new(digest(word, 0), place, expires_at), 0);
    }
    assert_eq!(table.sweep(100, 7), 2);
    let left = table.iter().map(|slot| slot.words()[0]);
    assert_eq!(left.collect::<Vec<u32>>(), [1, 2, 4, 5]);
    assert_eq!((table.len(), table.sweep(100, 7)), (4, 0));
    table.validate();
}
