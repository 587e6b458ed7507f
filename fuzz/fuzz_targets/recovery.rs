//! Recovery from a log that was tampered with: a typed refusal, or a store that is whole, goes on
//! working, and holds the same after it was closed and opened once more.
//!
//! `ci/fuzz 60 recovery`

#![no_main]

mod bounded;
mod forge;
mod history;

use std::time::Duration;

use arbitrary::Arbitrary;
use hapax::fuzzing::{Image, log_of};
use hapax::scan::KeyFilter;
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, ErrorKind, KeyState, Policy, Result, Store, Trouble};
use libfuzzer_sys::fuzz_target;

use forge::Change;
use history::{Act, KEYS, NAMES, policy};

#[derive(Arbitrary, Debug)]
struct Input {
    history: Vec<Act>,
    changes: Vec<Change>,
    /// Makes numbers, checksums and marks agree again after the changes.
    rechain: bool,
    accept_jump: bool,
    /// Runs compaction before the store is closed.
    compact: bool,
}

fuzz_target!(|input: Input| {
    let clock = ManualClock::new();
    let mut image = history::write(&clock, &input.history);
    let untouched = input.changes.is_empty();
    for change in input.changes.iter().take(32) {
        forge::change(&mut image, change);
    }
    if input.rechain {
        forge::rechain(&mut image);
    }
    recover(&clock, image, &input, untouched);
});

fn recover(clock: &ManualClock, image: Image, input: &Input, untouched: bool) {
    let log = log_of(image);
    let store = match open(clock, &log, input.accept_jump) {
        Ok(store) => store,
        Err(error) => {
            let kinds = [
                ErrorKind::Damaged,
                ErrorKind::Unsupported,
                ErrorKind::NotAStore,
                ErrorKind::ClockJump,
            ];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert!(!untouched, "a whole log opens: {error}");
            return;
        }
    };
    store.validate();
    // One that has run out of numbers answers, and changes nothing any more.
    let is_spent = store.health().troubles().contains(&Trouble::ReadOnly);
    let whole = (is_spent || use_it(&store)) && store.verify().is_ok();
    store.validate();
    assert!(whole || !untouched, "a whole log is read");
    store.sync().expect("the log does not fail");
    let before = content(&store);
    if input.compact {
        clock.advance(Duration::from_secs(180));
        clock.advance(Duration::from_secs(1));
        store.validate();
    }
    let closed = store.close();
    if let Err(error) = closed {
        // Compaction has met what cannot be read.
        assert!(input.compact && !whole, "{error}");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    }
    let again = open(clock, &log, true).expect("what was open opens again");
    again.validate();
    if !input.compact {
        assert_eq!(content(&again), before, "the same store");
    }
    again.close().expect("the log does not fail");
}

fn open(clock: &ManualClock, log: &MemoryLog, accept_jump: bool) -> Result<Store> {
    let mut builder = Store::in_memory().log(log).clock(clock).shards(2);
    if accept_jump {
        builder = builder.accept_clock_jump();
    }
    builder.open()
}

/// Claims and asks for every key; false when something in the log could not be read.
fn use_it(store: &Store) -> bool {
    let mut whole = true;
    let mut read = |error: &hapax::Error| {
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
        whole = false;
    };
    let doubts = store.doubts().expect("the store is open");
    doubts
        .filter_map(Result::err)
        .for_each(|error| read(&error));
    for (index, name) in NAMES.iter().enumerate() {
        let Ok(namespace) = store.namespace(name, policy(index)) else {
            continue;
        };
        for key in 0..KEYS {
            if let Err(error) = namespace.get([key]) {
                read(&error);
            }
            match namespace.claim([key]) {
                Ok(Claim::Granted(lease)) if key % 2 == 0 => {
                    if let Err(error) = lease.complete("again") {
                        read(&error);
                    }
                }
                Ok(_) => {}
                Err(error) => read(&error),
            }
        }
    }
    let fresh = store.namespace("a name of its own", Policy::at_least_once());
    let fresh = match fresh {
        Ok(fresh) => fresh,
        Err(error) => {
            // The manifest has a namespace of the last id that there is.
            assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error:?}");
            return whole;
        }
    };
    let Claim::Granted(lease) = fresh.claim("fresh").expect("a claim of a new key") else {
        panic!("the key had no holder");
    };
    lease.complete("done").expect("the log does not fail");
    whole
}

/// Everything that can be read: namespace, key, state, body.
fn content(store: &Store) -> Vec<(String, Vec<u8>, KeyState, Vec<u8>)> {
    let mut found: Vec<_> = store
        .scan(KeyFilter::new())
        .expect("the store is open")
        .filter_map(Result::ok)
        .map(|info| {
            let namespace = info.namespace().to_owned();
            (
                namespace,
                info.key().to_vec(),
                info.state(),
                info.body().to_vec(),
            )
        })
        .collect();
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    found
}
