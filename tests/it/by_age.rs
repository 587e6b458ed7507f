//! Keys in doubt and keys in progress, by age: in pages, for any number of keys and with any change
//! between two pages, compared with a model that knows when each key entered its state.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use hapax::scan::{KeyFilter, ScanPosition};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Doubt, KeyInfo, KeyState, Lease, Namespace, Policy, Resolution, Result, Store};

use crate::contract_support::{operator, total};
use crate::threads::{Draw, seed};

const LEASE: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(121);

fn open(log: &MemoryLog, clock: &ManualClock) -> Store {
    Store::in_memory().log(log).clock(clock).open().unwrap()
}

fn spaces(store: &Store) -> [Namespace; 3] {
    let once = Policy::at_most_once().lease(LEASE);
    let least = Policy::at_least_once().lease(Duration::from_secs(72_000));
    let policies = [("pay", once.clone()), ("refund", once), ("mail", least)];
    policies.map(|(name, policy)| store.namespace(name, policy).unwrap())
}

fn claim(space: &Namespace, key: &str) -> Lease {
    match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key} is free: {other:?}"),
    }
}

fn doubt(space: &Namespace, key: &str) {
    claim(space, key).doubt("the provider timed out").unwrap();
}

fn reads(store: &Store) -> u64 {
    store.metrics().total("hapax_record_reads_total", &[])
}

/// Writes keys that are forgotten at once, until the oldest segment is worth compacting.
fn churn(space: &Namespace, clock: &ManualClock) {
    let body = vec![1; 60_000];
    for round in 0..700 {
        let key = format!("churn-{round}");
        claim(space, &key).complete(&body).unwrap();
        assert!(space.forget(&key).unwrap());
    }
    clock.advance(GRACE);
}

/// A key by its namespace and its name.
type Named = (String, String);

fn named(space: &str, key: &[u8]) -> Named {
    let key = String::from_utf8(key.to_vec()).unwrap();
    (space.to_owned(), key)
}

fn of_doubt(doubt: Result<Doubt>) -> (ScanPosition, Named) {
    let doubt = doubt.unwrap();
    let rank = ScanPosition::new(doubt.since(), doubt.token());
    (rank, named(doubt.namespace(), doubt.key()))
}

fn of_running(info: Result<KeyInfo>) -> (ScanPosition, Named) {
    let info = info.unwrap();
    assert_eq!(info.state(), KeyState::InProgress);
    let rank = ScanPosition::new(info.recorded_at(), info.token());
    (rank, named(info.namespace(), info.key()))
}

/// A store, and the expected states of its keys.
struct World {
    clock: ManualClock,
    log: MemoryLog,
    store: Store,
    spaces: [Namespace; 3],
    draw: Draw,
    keys: u64,
    in_doubt: BTreeMap<ScanPosition, Named>,
    running: BTreeMap<ScanPosition, Named>,
    leases: BTreeMap<ScanPosition, Lease>,
    /// When each key lapses into doubt, in seconds of the clock.
    lapses: BTreeMap<ScanPosition, SystemTime>,
}

impl World {
    fn new(seed: u64) -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let store = open(&log, &clock);
        let spaces = spaces(&store);
        Self {
            clock,
            log,
            store,
            spaces,
            draw: Draw(seed),
            keys: 0,
            in_doubt: BTreeMap::new(),
            running: BTreeMap::new(),
            leases: BTreeMap::new(),
            lapses: BTreeMap::new(),
        }
    }

    fn now(&self) -> SystemTime {
        self.store.stats().store_time()
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw.below(bound as u64)).unwrap()
    }

    /// One of these, picked at random.
    fn one_of(&mut self, ranks: &BTreeMap<ScanPosition, Named>) -> Option<(ScanPosition, Named)> {
        let count = ranks.len().max(1);
        let at = self.below(count);
        let found = ranks.iter().nth(at);
        found.map(|(rank, named)| (*rank, named.clone()))
    }

    fn space(&self, named: &Named) -> &Namespace {
        let space = self.spaces.iter().find(|space| space.name() == named.0);
        space.unwrap()
    }

    /// Claims a new key.
    fn claim(&mut self) -> ScanPosition {
        let at = self.below(3);
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let lease = claim(&self.spaces[at], &key);
        let rank = ScanPosition::new(self.now(), lease.token());
        let space = self.spaces[at].name();
        self.running.insert(rank, named(space, key.as_bytes()));
        if space != "mail" {
            self.lapses.insert(rank, rank.since() + LEASE);
        }
        self.leases.insert(rank, lease);
        rank
    }

    /// A holder gives up its key, in doubt or with an outcome.
    fn settle(&mut self, rank: ScanPosition, in_doubt: bool) {
        let key = self.running.remove(&rank).unwrap();
        let lease = self.leases.remove(&rank).unwrap();
        self.lapses.remove(&rank);
        if in_doubt {
            let doubted = ScanPosition::new(self.now(), lease.token());
            lease.doubt("the provider timed out").unwrap();
            self.in_doubt.insert(doubted, key);
        } else {
            lease.complete("done").unwrap();
        }
    }

    fn resolve(&mut self) {
        let all = self.in_doubt.clone();
        let Some((rank, key)) = self.one_of(&all) else {
            return;
        };
        let found = self.space(&key).doubt_of(&key.1).unwrap().unwrap();
        assert_eq!(found.token(), rank.token());
        let happened = Resolution::Happened(b"receipt".to_vec());
        let resolutions = [Resolution::NeverHappened, happened];
        let resolution = resolutions[self.below(2)].clone();
        operator(&self.store)
            .resolve_forced(&found, resolution)
            .unwrap();
        self.in_doubt.remove(&rank);
        // The holder of a lapsed key finds out when it comes back.
        self.leases.remove(&rank).map(Lease::detach);
    }

    fn pass(&mut self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
        let now = self.now();
        let due = self.lapses.iter().filter(|(_, at)| **at <= now);
        for rank in due.map(|(rank, _)| *rank).collect::<Vec<_>>() {
            self.lapses.remove(&rank);
            let key = self.running.remove(&rank).unwrap();
            self.in_doubt.insert(rank, key);
        }
    }

    /// The process dies: a key that was running is in doubt, or looks as if it had never been
    /// claimed.
    fn crash(&mut self) {
        self.log.crash();
        self.leases.clear();
        self.lapses.clear();
        for (rank, key) in std::mem::take(&mut self.running) {
            if key.0 != "mail" {
                self.in_doubt.insert(rank, key);
            }
        }
        self.store = open(&self.log, &self.clock);
        self.spaces = spaces(&self.store);
    }

    fn change(&mut self) {
        match self.below(10) {
            0..=2 => {
                let rank = self.claim();
                self.settle(rank, true);
            }
            3 | 4 => {
                self.claim();
            }
            5 => {
                let all = self.running.clone();
                if let Some((rank, _)) = self.one_of(&all) {
                    let in_doubt = self.below(2) == 0;
                    self.settle(rank, in_doubt);
                }
            }
            6 | 7 => self.resolve(),
            _ => {
                let secs = self.draw.below(90);
                self.pass(secs);
            }
        }
    }

    /// The store lists the keys of the model, in the order of their ages.
    fn check(&self) {
        let expected: Vec<_> = self.in_doubt.clone().into_iter().collect();
        let doubts: Vec<_> = self.store.doubts().unwrap().map(of_doubt).collect();
        assert_eq!(doubts, expected);
        let running: Vec<_> = self.store.running().unwrap().map(of_running).collect();
        assert_eq!(
            running,
            self.running.clone().into_iter().collect::<Vec<_>>()
        );
        for space in &self.spaces {
            let mine = |(_, key): &(ScanPosition, Named)| key.0 == space.name();
            let doubts = space.doubts().unwrap().map(of_doubt).collect::<Vec<_>>();
            let expected = expected.iter().filter(|one| mine(one)).cloned();
            assert_eq!(doubts, expected.collect::<Vec<_>>());
            let keys = space.running().unwrap().map(of_running).collect::<Vec<_>>();
            let expected = running.iter().filter(|one| mine(one)).cloned();
            assert_eq!(keys, expected.collect::<Vec<_>>());
        }
        let filter = KeyFilter::new().state(KeyState::InProgress);
        let scanned = self.store.scan(filter).unwrap().map(of_running);
        let running: BTreeSet<_> = running.into_iter().collect();
        assert_eq!(scanned.collect::<BTreeSet<_>>(), running);
    }
}

/// The rows of a page, and where it stopped.
type Paged = (Vec<(ScanPosition, Named)>, Option<ScanPosition>);

/// Goes through pages, changes something after each, and compares them with the model.
fn page_through(
    world: &mut World,
    model: fn(&World) -> &BTreeMap<ScanPosition, Named>,
    page: fn(&World, Option<ScanPosition>, usize) -> Paged,
    between: fn(&mut World, usize),
) {
    let at_first: Vec<ScanPosition> = model(world).keys().copied().collect();
    let mut met = BTreeSet::new();
    let mut after = None;
    for number in 0.. {
        let keys = 1 + world.below(20);
        let (rows, reached) = page(world, after, keys);
        for (rank, key) in &rows {
            assert!(after.is_none_or(|after| after < *rank), "by age");
            assert_eq!(model(world).get(rank), Some(key));
            assert!(met.insert(*rank), "{rank} is met twice");
            after = Some(*rank);
        }
        assert_eq!(after, reached);
        if rows.len() < keys {
            break;
        }
        between(world, number);
    }
    let left = at_first
        .iter()
        .filter(|rank| model(world).contains_key(rank));
    for rank in left {
        assert!(met.contains(rank), "{rank} was there all the time");
    }
}

#[test]
fn pages_of_doubts_have_each_once_while_others_come_and_go() {
    let mut world = World::new(seed());
    for _ in 0..400 {
        world.change();
    }
    world.check();
    let page = |world: &World, after: Option<ScanPosition>, keys: usize| {
        let scan = world.store.doubts().unwrap();
        let mut scan = match after {
            Some(rank) => scan.after(rank),
            None => scan,
        };
        let rows: Vec<_> = scan.by_ref().take(keys).map(of_doubt).collect();
        (rows, scan.reached())
    };
    let between = |world: &mut World, number: usize| {
        for _ in 0..world.below(4) {
            world.change();
        }
        match number {
            2 => {
                let carried = total(&world.store, "hapax_carried_records_total");
                churn(&world.spaces[2], &world.clock);
                world.pass(0);
                assert!(total(&world.store, "hapax_carried_records_total") > carried);
            }
            // A position means the same to the next process.
            5 => world.crash(),
            _ => {}
        }
        world.store.validate();
    };
    page_through(&mut world, |world| &world.in_doubt, page, between);
    world.check();
}

#[test]
fn pages_of_running_keys_have_each_once_while_others_come_and_go() {
    let mut world = World::new(seed());
    for _ in 0..300 {
        world.claim();
        if world.below(4) == 0 {
            world.pass(1);
        }
    }
    world.check();
    let page = |world: &World, after: Option<ScanPosition>, keys: usize| {
        let scan = world.store.running().unwrap();
        let mut scan = match after {
            Some(rank) => scan.after(rank),
            None => scan,
        };
        let rows: Vec<_> = scan.by_ref().take(keys).map(of_running).collect();
        (rows, scan.reached())
    };
    let between = |world: &mut World, _: usize| {
        for _ in 0..world.below(6) {
            world.change();
        }
    };
    page_through(&mut world, |world| &world.running, page, between);
    world.check();
}

/// The list of doubts read the record of every doubt, even for a caller that wanted a few. With
/// many doubts it took too long, just when it was needed.
#[test]
fn a_page_reads_as_many_records_as_it_has() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = open(&log, &clock);
    let [pay, _, mail] = spaces(&store);
    for number in 0..5000 {
        doubt(
            if number % 2 == 0 { &pay } else { &mail },
            &number.to_string(),
        );
    }
    let before = reads(&store);
    let mut scan = store.doubts().unwrap();
    assert_eq!(reads(&store), before, "nothing is read ahead");
    let page: Vec<_> = scan.by_ref().take(10).map(of_doubt).collect();
    assert_eq!(reads(&store) - before, 10);
    assert_eq!(page[9].1.1, "9");

    let before = reads(&store);
    let after = scan.reached().unwrap();
    let mut rest = mail.doubts().unwrap().after(after);
    assert_eq!(of_doubt(rest.next().unwrap()).1.1, "11");
    assert_eq!(reads(&store) - before, 1, "no read of another namespace");
    assert_eq!(store.doubts().unwrap().after(after).count(), 4990);
    assert_eq!(
        store.doubts().unwrap().map(Result::unwrap).count(),
        5000,
        "several batches"
    );
    // Also in the middle of a scan, which meets no key twice.
    let later = of_doubt(store.doubts().unwrap().nth(2999).unwrap()).0;
    let scan = scan.after(later).after(after);
    assert_eq!(scan.reached(), Some(later));
    assert_eq!(scan.count(), 2000);
}

/// A scan of all keys keeps compaction waiting; a scan of doubts looks up again a record that has
/// moved.
#[test]
fn compaction_goes_on_while_doubts_are_gone_through() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = open(&log, &clock);
    let [pay, _, mail] = spaces(&store);
    for number in 0..300 {
        doubt(&pay, &number.to_string());
    }
    let mut scan = store.doubts().unwrap();
    scan.next().unwrap().unwrap();
    for _ in 0..3 {
        churn(&mail, &clock);
    }
    assert!(total(&store, "hapax_compacted_segments_total") > 0);
    assert!(total(&store, "hapax_carried_records_total") >= 300);
    let keys: Vec<_> = scan.map(|found| of_doubt(found).1.1).collect();
    let expected: Vec<_> = (1..300).map(|number: u32| number.to_string()).collect();
    assert_eq!(keys, expected, "by age, in any place of the log");
    store.validate();
}
