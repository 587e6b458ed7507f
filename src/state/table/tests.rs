//! The table against a sorted map, and each of its invariants broken on purpose.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::state::slab::SlabRef;
use crate::state::slot::{Place, Settled, Slot};
use crate::state::table::part::{EMPTY, TAIL};
use crate::state::table::{HOMES_MIN, STEP, Table, most};
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
    let mut keys = 0;
    while table.parts[0].homes < 256 || table.len() < most(table.parts[0].homes) {
        table.put(
            slot(spread(keys), 1, if keys % 2 == 0 { 10 } else { NEVER }),
            0,
        );
        keys += 1;
    }
    let (homes, full) = (table.parts[0].homes, table.len());
    table.put(slot(spread(keys), 1, NEVER), 10);
    assert_eq!((table.parts[0].homes, table.len()), (homes, full / 2 + 1));
}

/// Memory is given back by large tables that have become nearly empty, and by no others.
#[test]
fn a_sweep_that_frees_little_leaves_the_table_as_large_as_it_is() {
    for (keys, stay) in [(400_u32, 1), (1600, 1200), (1600, 400)] {
        let mut table = Table::default();
        for n in 0..keys {
            table.put(slot(spread(n), 1, if n < stay { NEVER } else { 10 }), 0);
        }
        let homes = table.parts[0].homes;
        table.sweep(10, 0);
        table.validate();
        assert_eq!(table.parts[0].homes, homes, "{stay} of {keys} stay");
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
        table.begin_move(400);
        table.validate();
        table.sweep(0, 0);
        table.validate();
        assert_eq!(table.len(), keys);
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
    table.parts[0].slots[5] = table.parts[0].slots[0];
    table.validate();
}

#[test]
#[should_panic(expected = "so many homes may be taken")]
fn a_table_that_is_too_full() {
    let mut table = whole();
    for (at, words) in table.parts[0].slots.iter_mut().take(HOMES_MIN).enumerate() {
        let word = u32::try_from(at).unwrap() << 28;
        *words = slot(digest(word, 0), 1, NEVER).words();
    }
    table.len = HOMES_MIN;
    assert!(table.len > most(table.parts[0].homes));
    table.validate();
}

#[test]
#[should_panic(expected = "the last slot is empty")]
fn a_run_that_does_not_end() {
    let mut table = whole();
    let last = HOMES_MIN + TAIL - 1;
    table.parts[0].slots[last] = slot(digest(u32::MAX, 0), 1, NEVER).words();
    table.len += 1;
    table.validate();
}

#[test]
#[should_panic(expected = "slots are sorted")]
fn slots_out_of_order() {
    let mut table = whole();
    table.parts[0].slots.swap(0, 1);
    table.validate();
}

#[test]
#[should_panic(expected = "nothing is empty between a slot and its home")]
fn a_slot_away_from_its_home() {
    let mut table = whole();
    table.parts[0].slots.swap(1, 2);
    table.validate();
}

#[test]
#[should_panic(expected = "nothing is empty between a slot and its home")]
fn a_slot_before_its_home() {
    let mut table = whole();
    let at = table.parts[0]
        .slots
        .iter()
        .rposition(|words| *words != EMPTY)
        .unwrap();
    table.parts[0].slots.swap(at, at - 1);
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

/// Slots whose words are spread, as those of digests are.
fn spread(n: u32) -> Digest {
    digest(n.wrapping_mul(0x9e37_79b9), n)
}

/// A table of several steps that is moving: it has as many slots as it may have, and then one more.
fn moving() -> (Table, u32) {
    let mut table = Table::default();
    let mut keys = 0;
    while table.parts[1].homes < 3 * STEP {
        table.put(slot(spread(keys), 1, NEVER), 0);
        keys += 1;
    }
    table.validate();
    (table, keys)
}

/// A claim waits for one step of a table that grows, and for no more.
#[test]
fn a_put_moves_one_step() {
    let (mut table, mut keys) = moving();
    let mut puts = 0;
    while table.is_moving() {
        let before = table.from;
        table.put(slot(spread(keys), 1, NEVER), 0);
        keys += 1;
        puts += 1;
        table.validate();
        // A few more where the place at the end of a step is empty.
        let moved = table.from.saturating_sub(before);
        assert!(moved < STEP + TAIL, "{moved} places in one put");
    }
    assert!(puts >= 2, "{puts} puts");
    assert!((0..keys).all(|n| table.get(spread(n)).is_some()));
}

/// Each call on a table that moves, on both sides of what has moved.
#[test]
fn a_table_that_moves_is_a_map() {
    let (table, keys) = moving();
    for n in (0..keys).step_by(if cfg!(miri) { 1009 } else { 37 }) {
        let (mut removed, key) = (Table::clone(&table), spread(n));
        assert_eq!(removed.remove(key), table.get(key));
        assert_eq!((removed.get(key), removed.len()), (None, table.len() - 1));
        removed.put(slot(key, 2, NEVER), 0);
        assert_eq!(removed.get(key), Some(slot(key, 2, NEVER)));
        removed.validate();
        removed.put(slot(key, 3, 10), 0);
        assert_eq!((removed.sweep(9, 0), removed.sweep(10, 0)), (0, 1));
        removed.validate();
        assert!(!removed.is_moving() && removed.get(key).is_none());
    }
    assert_eq!(table.iter().count(), table.len());
}

/// Slots with words of their own around those that move next, and many that have the same word.
#[test]
fn slots_of_one_word_move_together() {
    let (mut table, _) = moving();
    let word = u32::try_from(table.moved).unwrap();
    for b in 0..3 * u32::try_from(TAIL).unwrap() {
        table.parts[1].slots.reserve(TAIL);
        let (at, words) = (table.find([word, b, 7]), [word, b, 7]);
        let digest = Digest { words, route: 0 };
        table.insert(at, slot(digest, 1, NEVER).words());
        table.validate();
    }
    for near in [word - 1, word, word + 1] {
        table.put(slot(digest(near, 9), 1, NEVER), 0);
        table.validate();
    }
    table.sweep(0, 0);
    table.validate();
    for b in 0..3 * u32::try_from(TAIL).unwrap() {
        let words = [word, b, 7];
        assert!(table.get(Digest { words, route: 0 }).is_some());
    }
}

/// Pieces of a sweep, between which the table changes.
#[test]
fn a_sweep_in_pieces_takes_what_has_expired() {
    let mut table = Table::default();
    let keys = 5 * u32::try_from(STEP).unwrap();
    for n in 0..keys {
        table.put(slot(spread(n), 1, if n % 3 == 0 { 10 } else { NEVER }), 0);
    }
    let (mut swept, mut from, mut pieces) = (0, Some(0), 0);
    while let Some(at) = from {
        let piece = table.sweep_piece(at, 10, 0);
        assert!(piece.0 < STEP, "{} in one piece", piece.0);
        (swept, from, pieces) = (swept + piece.0, piece.1, pieces + 1);
        table.put(slot(spread(keys + pieces), 1, NEVER), 0);
        table.validate();
    }
    assert!(pieces > 5, "{pieces} pieces");
    // A run that another slot has joined meanwhile may be passed over.
    swept += table.sweep(10, 0);
    assert_eq!(swept, keys.div_ceil(3) as usize);
    assert!((0..keys).all(|n| table.get(spread(n)).is_some() == (n % 3 != 0)));
}

/// A large table of which an eighth or more has expired stays as large as it is, and a put lets a step of it go.
#[test]
fn a_large_table_lets_go_of_what_has_expired_step_by_step() {
    let mut table = Table::default();
    let mut keys = 0;
    while table.parts[0].homes < 3 * STEP || table.is_moving() || table.len() < table.room {
        let expires_at = if keys % 2 == 0 { 10 } else { NEVER };
        table.put(slot(spread(keys), 1, expires_at), 0);
        keys += 1;
    }
    let (homes, full) = (table.parts[0].homes, table.len());
    for n in 0..8 {
        table.put(slot(spread(keys + n), 1, NEVER), 10);
        table.validate();
    }
    assert!(!table.is_moving());
    let left = full - keys.div_ceil(2) as usize + 8;
    assert_eq!((table.parts[0].homes, table.len()), (homes, left));
}

/// What looked as if it would go has not: the table grows all the same.
#[test]
fn a_table_that_stays_full_grows() {
    let (mut table, mut keys) = moving();
    table.sweep(0, 0);
    while table.len() < table.room {
        table.put(slot(spread(keys), 1, NEVER), 0);
        keys += 1;
    }
    let homes = table.parts[0].homes;
    table.begin_move(homes);
    table.put(slot(spread(keys), 1, NEVER), 0);
    table.validate();
    assert!(table.parts[0].homes > homes);
    assert!((0..=keys).all(|n| table.get(spread(n)).is_some()));
}

#[test]
#[should_panic(expected = "what has not moved")]
fn a_slot_that_should_have_moved() {
    let (mut table, _) = moving();
    table.moved += 1 << 20;
    table.validate();
}

#[test]
#[should_panic(expected = "what has moved")]
fn a_slot_that_should_not_have_moved() {
    let (mut table, _) = moving();
    table.moved -= 1 << 20;
    table.validate();
}

#[test]
#[should_panic(expected = "a table has no room only while it moves")]
fn room_while_it_moves() {
    let (mut table, _) = moving();
    table.room = 1;
    table.validate();
}
