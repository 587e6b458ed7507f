//! Keys in doubt and keys in progress, by age.

use std::time::Duration;

use hapax::scan::ScanPosition;
use hapax::{KeyInfo, Namespace, Policy, Resolution, Store};

use crate::site::answers::claim;
use crate::site::site::Site;
use crate::site::times::{MINUTE, SECOND};
use crate::world::capability::Capability;
use crate::world::world::World;

const LEASE: Duration = Duration::from_secs(600);

fn spaces(store: &Store) -> [Namespace; 2] {
    let once = Policy::at_most_once().lease(LEASE);
    ["pay", "refund"].map(|name| store.namespace(name, once.clone()).unwrap())
}

fn doubt(space: &Namespace, key: &str) {
    claim(space, key).doubt("the provider timed out").unwrap();
}

fn name(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap()
}

/// The keys of a page of doubts, and where it stopped.
fn page(store: &Store, after: Option<ScanPosition>) -> (Vec<String>, Option<ScanPosition>) {
    let scan = store.doubts().unwrap();
    let mut scan = match after {
        Some(position) => scan.after(position),
        None => scan,
    };
    let doubts = scan.by_ref().take(7);
    let keys = doubts.map(|doubt| name(doubt.unwrap().key())).collect();
    (keys, scan.reached())
}

/// A position means the same to the next process, and what comes and goes moves no other doubt.
pub(crate) fn pages_of_doubts_go_on_where_the_last_one_stopped(world: &dyn World) {
    let mut site = Site::new(world);
    let [pay, refund] = spaces(&site.store);
    for number in 0..30 {
        let space = if number % 2 == 0 { &pay } else { &refund };
        doubt(space, &number.to_string());
        // Some begin within one second.
        site.advance(SECOND * (number % 3));
    }
    let (mut met, mut after) = page(&site.store, None);
    for key in ["0", "10"] {
        let doubt = pay.doubt_of(key).unwrap().unwrap();
        doubt.resolve(Resolution::Happened(Vec::new())).unwrap();
    }
    doubt(&pay, "new");
    drop((pay, refund));
    site.crash();
    let _spaces = spaces(&site.store);
    loop {
        let (keys, reached) = page(&site.store, after);
        if keys.is_empty() {
            break;
        }
        met.extend(keys);
        after = reached;
    }
    let left = (0..30).filter(|number| *number != 10);
    let mut expected: Vec<String> = left.map(|number| number.to_string()).collect();
    expected.push("new".to_owned());
    assert_eq!(met, expected);
}

pub(crate) fn running_keys_are_listed_by_age(world: &dyn World) {
    let site = Site::new(world);
    let [pay, refund] = spaces(&site.store);
    let mut leases = Vec::new();
    for (space, key) in [(&pay, "d"), (&refund, "c"), (&pay, "b"), (&refund, "a")] {
        leases.push(claim(space, key));
        site.advance(SECOND);
    }
    leases.remove(1).complete("done").unwrap();
    let running = site.store.running().unwrap();
    let running: Vec<KeyInfo> = running.map(Result::unwrap).collect();
    let keys: Vec<String> = running.iter().map(|info| name(info.key())).collect();
    assert_eq!(keys, ["d", "b", "a"]);
    let first = ScanPosition::new(running[0].recorded_at(), running[0].token());
    let rest = site.store.running().unwrap().after(first);
    assert_eq!(rest.map(Result::unwrap).count(), 2);
    assert_eq!(refund.running().unwrap().map(Result::unwrap).count(), 1);
}

pub(crate) fn a_doubt_that_is_settled_before_its_turn_is_left_out(world: &dyn World) {
    let site = Site::new(world);
    let [pay, ..] = spaces(&site.store);
    for key in ["a", "b", "c"] {
        doubt(&pay, key);
    }
    let mut scan = site.store.doubts().unwrap();
    assert_eq!(scan.next().unwrap().unwrap().key(), b"a");
    let second = pay.doubt_of("b").unwrap().unwrap();
    second.resolve(Resolution::NeverHappened).unwrap();
    // In doubt again, under another token: another doubt, which began after the scan.
    doubt(&pay, "b");
    assert_eq!(scan.next().unwrap().unwrap().key(), b"c");
    assert!(scan.next().is_none());
    site.store.close().unwrap();
    assert!(site.store.doubts().is_err());
}

pub(crate) fn resolving_a_doubt_into_a_doubt_comes_to_an_end(world: &dyn World) {
    let site = Site::new(world);
    let [pay, ..] = spaces(&site.store);
    for number in 0..1500 {
        doubt(&pay, &number.to_string());
    }
    let mut met = 0;
    for found in site.store.doubts().unwrap() {
        let found = found.unwrap();
        found.resolve(Resolution::NeverHappened).unwrap();
        doubt(&pay, std::str::from_utf8(found.key()).unwrap());
        met += 1;
    }
    assert_eq!(
        (
            met,
            site.store.doubts().unwrap().map(Result::unwrap).count()
        ),
        (1500, 1500)
    );
}

pub(crate) fn a_ticket_that_is_attached_takes_its_key_out_of_doubt(world: &dyn World) {
    let mut site = Site::new(world);
    let [pay, ..] = spaces(&site.store);
    let ticket = claim(&pay, "a").detach();
    site.crash();
    let [pay, ..] = spaces(&site.store);
    assert_eq!(pay.doubts().unwrap().map(Result::unwrap).count(), 1);
    let lease = site.store.attach(&ticket.unwrap()).unwrap();
    site.validate();
    assert!(pay.doubts().unwrap().next().is_none());
    assert_eq!(site.store.running().unwrap().count(), 1);
    lease.doubt("it is not known").unwrap();
    site.validate();
    assert_eq!(pay.doubts().unwrap().map(Result::unwrap).count(), 1);
    assert!(pay.forget("a").is_err());
    let token = pay.doubts().unwrap().next().unwrap().unwrap().token();
    assert!(site.operator().forget_forced("pay", "a", token).unwrap());
    site.validate();
    assert!(pay.doubts().unwrap().next().is_none());
}

/// A claim that expired long ago, made when its namespace promised less. Under the new promise its
/// record reads as a doubt, but an absent key cannot be resolved, so no list may contain it.
pub(crate) fn an_expired_claim_is_not_a_doubt_under_another_guarantee(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().lease(MINUTE / 2);
    let jobs = site
        .store
        .namespace("jobs", policy.attempt_retention(MINUTE));
    let lease = claim(&jobs.unwrap(), "a");
    lease.checkpoint("half of it").unwrap();
    site.crash();
    drop(lease);
    let once = Policy::at_most_once().lease(MINUTE / 2);
    let mut refused = 0;
    while site.store.change_guarantee("jobs", once.clone()).is_err() {
        site.advance(MINUTE);
        refused += 1;
        assert!(refused < 100, "it expires after a minute");
    }
    site.validate();
    site.crash();
    if site.has(Capability::Log) {
        let recovered = site.store.stats().recovered_records();
        assert_eq!(recovered, 1, "it is still in the log");
    }
    let jobs = site.store.namespace("jobs", once).unwrap();
    assert!(jobs.doubts().unwrap().next().is_none());
    assert!(jobs.doubt_of("a").unwrap().is_none());
    site.validate();
    for _ in 0..5 {
        site.advance(MINUTE);
        site.validate();
    }
    claim(&jobs, "a").doubt("why").unwrap();
    site.validate();
    assert_eq!(site.store.doubts().unwrap().count(), 1);
}
