//! Scans: each key once, in any state, and only keys that pass the filter.

use std::collections::BTreeMap;
use std::time::Duration;

use hapax::scan::KeyFilter;
use hapax::{KeyState, Namespace, Policy};

use crate::site::answers::claim;
use crate::site::site::Site;
use crate::world::world::World;

fn open(world: &dyn World) -> (Site, Namespace) {
    let site = Site::new(world);
    let policy = Policy::at_most_once().lease(Duration::from_secs(600));
    let jobs = site.store.namespace("jobs", policy).unwrap();
    (site, jobs)
}

fn met(jobs: &Namespace, filter: KeyFilter) -> BTreeMap<String, KeyState> {
    let mut met = BTreeMap::new();
    for info in jobs.scan(filter).unwrap() {
        let info = info.unwrap();
        let key = String::from_utf8(info.key().to_vec()).unwrap();
        assert_eq!(info.namespace(), "jobs");
        assert!(
            met.insert(key, info.state()).is_none(),
            "met twice: {info:?}"
        );
    }
    met
}

fn keys(jobs: &Namespace, filter: KeyFilter) -> Vec<String> {
    met(jobs, filter).into_keys().collect()
}

pub(crate) fn a_scan_meets_each_key_once_and_filters_choose(world: &dyn World) {
    let (site, jobs) = open(world);
    let elsewhere = site
        .store
        .namespace("elsewhere", Policy::at_least_once())
        .unwrap();
    claim(&elsewhere, "a-done").complete("").unwrap();
    claim(&jobs, "a-done").complete("").unwrap();
    claim(&jobs, "a-failed").fail("why").unwrap();
    claim(&jobs, "a-gone").complete("").unwrap();
    assert!(jobs.forget("a-gone").unwrap());
    site.advance(Duration::from_secs(100));
    claim(&jobs, "b-doubted").doubt("why").unwrap();
    claim(&jobs, "b-released").release("why").unwrap();
    let _running = claim(&jobs, "b-running");
    let since = jobs.get("b-doubted").unwrap().unwrap().recorded_at();

    let all = [
        ("a-done", KeyState::Completed),
        ("a-failed", KeyState::Failed),
        ("b-doubted", KeyState::InDoubt),
        ("b-released", KeyState::Released),
        ("b-running", KeyState::InProgress),
    ];
    let expected = all.map(|(key, state)| (key.to_owned(), state));
    assert_eq!(met(&jobs, KeyFilter::new()), BTreeMap::from(expected));
    assert_eq!(
        site.store.scan(KeyFilter::new()).unwrap().count(),
        all.len() + 1
    );
    for (key, state) in all {
        assert_eq!(keys(&jobs, KeyFilter::new().state(state)), [key]);
    }
    let two = KeyFilter::new()
        .state(KeyState::Failed)
        .state(KeyState::InDoubt);
    assert_eq!(keys(&jobs, two), ["a-failed", "b-doubted"]);
    assert_eq!(
        keys(&jobs, KeyFilter::new().prefix("a-")),
        ["a-done", "a-failed"]
    );
    assert_eq!(
        keys(&jobs, KeyFilter::new().recorded_before(since)),
        ["a-done", "a-failed"]
    );
    assert_eq!(keys(&jobs, KeyFilter::new().recorded_from(since)).len(), 3);
}

pub(crate) fn a_doubt_is_found_by_its_key(world: &dyn World) {
    let (site, jobs) = open(world);
    claim(&jobs, "doubted").doubt("why").unwrap();
    claim(&jobs, "done").complete("").unwrap();
    let lapsing = claim(&jobs, "lapsing");
    assert!(jobs.doubt_of("absent").unwrap().is_none());
    assert!(jobs.doubt_of("done").unwrap().is_none());
    assert!(jobs.doubt_of("lapsing").unwrap().is_none(), "still running");
    site.advance(Duration::from_secs(600));
    for doubt in jobs.doubts().unwrap().map(Result::unwrap) {
        let found = jobs.doubt_of(doubt.key()).unwrap().unwrap();
        assert_eq!(found.key(), doubt.key());
        assert_eq!(found.token(), doubt.token());
        assert_eq!(found.reason(), doubt.reason());
        assert_eq!(found.holder_alive(), doubt.holder_alive());
    }
    assert!(jobs.doubt_of("lapsing").unwrap().unwrap().holder_alive());
    drop(lapsing);
    let left = jobs.doubt_of("lapsing").unwrap().unwrap();
    assert!(!left.holder_alive());
    left.resolve(hapax::Resolution::NeverHappened).unwrap();
    assert!(jobs.doubt_of("lapsing").unwrap().is_none());
}
