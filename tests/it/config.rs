//! A store under a configuration: what the configuration changes, and what it never moves.

use std::time::{Duration, SystemTime};

use hapax::config::{Config, OptionSource};
use hapax::testing::ManualClock;
use hapax::{Claim, ErrorKind, Namespace, Policy, Store};

use crate::logs::KINDS;

const HOUR: u64 = 3600;

fn config(text: &str) -> Config {
    toml::from_str(text).unwrap()
}

fn jobs(guarantee: &str, retention: &str) -> Config {
    config(&format!(
        "[namespaces.jobs]\nguarantee = \"{guarantee}\"\nretention = \"{retention}\"\n\
         failed_retention = \"{retention}\"\nattempt_retention = \"{retention}\""
    ))
}

/// A key of each kind that expires, under names of their own.
fn fill(space: &Namespace, name: &str) {
    let grant = |key: &str| match space.claim(format!("{name}-{key}")).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key}: {other:?}"),
    };
    grant("completed").complete("done").unwrap();
    grant("failed").fail("no").unwrap();
    grant("released").release("later").unwrap();
}

fn expiries(space: &Namespace, name: &str) -> Vec<Option<SystemTime>> {
    let keys = ["completed", "failed", "released"];
    let expiry = |key| {
        let info = space.get(format!("{name}-{key}")).unwrap();
        info.and_then(|info| info.expires_at())
    };
    keys.into_iter().map(expiry).collect()
}

#[test]
fn another_policy_moves_the_expiry_of_no_record() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let open = |config: &Config| {
            let builder = Store::builder(place.path().join("store")).log_kind(log);
            let store = builder.clock(&clock).config(config).open().unwrap();
            let jobs = store.configure(config).unwrap().remove("jobs").unwrap();
            (store, jobs)
        };
        let (store, space) = open(&jobs("at-least-once", "24h"));
        fill(&space, "old");
        let old = expiries(&space, "old");
        assert!(old.iter().all(Option::is_some));
        store.close().unwrap();
        for retention in ["2h", "30d"] {
            let (store, space) = open(&jobs("at-least-once", retention));
            assert_eq!(expiries(&space, "old"), old, "{retention}");
            fill(&space, retention);
            assert_ne!(expiries(&space, retention)[0], old[0], "the new ones move");
            // Compaction carries the keys as they are.
            store.compact().unwrap();
            assert_eq!(expiries(&space, "old"), old);
            store.close().unwrap();
        }
        clock.advance(Duration::from_secs(3 * HOUR));
        let (store, space) = open(&jobs("at-least-once", "2h"));
        assert_eq!(expiries(&space, "old"), old, "a day has not passed");
        assert_eq!(expiries(&space, "2h"), [None; 3]);
        store.close().unwrap();
        clock.advance(Duration::from_secs(22 * HOUR));
        let (_store, space) = open(&jobs("at-least-once", "30d"));
        assert_eq!(expiries(&space, "old"), [None; 3], "now it has");
        assert!(expiries(&space, "30d").iter().all(Option::is_some));
    }
}

#[test]
fn a_guarantee_is_never_changed_by_a_configuration() {
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    store.configure(&jobs("at-least-once", "24h")).unwrap();
    let mut other = jobs("at-most-once", "24h");
    let new = config("[namespaces.abc]\nguarantee = \"at-least-once\"");
    other.namespaces.extend(new.namespaces);
    let error = store.configure(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
    assert!(error.to_string().contains("change_guarantee()"), "{error}");
    assert_eq!(store.namespaces(), ["jobs"], "no part of it was done");
    // A policy in use stays as it is; the same one is not a change.
    let space = store.open_namespace("jobs").unwrap();
    let error = store.configure(&jobs("at-least-once", "2h")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
    store.configure(&jobs("at-least-once", "24h")).unwrap();
    drop(space);
    let spaces = store.configure(&jobs("at-least-once", "2h")).unwrap();
    let retention = spaces["jobs"].policy().completed_retention();
    assert_eq!(retention, Duration::from_secs(2 * HOUR));
}

#[test]
fn what_is_in_force_is_explained() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("store");
    let text = "[store]\nshards = 16\nlog_kind = \"files\"\nmax_offline = \"7d\"\n\
                [limits]\nlive_keys = 1000\n\
                [namespaces.pay]\nguarantee = \"at-most-once\"\nlease = \"5m\"";
    let config = config(text);
    let store = Store::builder(&path).config(&config).open().unwrap();
    store.configure(&config).unwrap();
    let explained = store.explain();
    let said = |path: &str| {
        let option = explained.find(path).unwrap();
        let value = option.value().map(str::to_owned);
        (value.unwrap_or_default(), option.source())
    };
    let is = |value: &str, source| (value.to_owned(), source);
    assert_eq!(said("store.shards"), is("16", OptionSource::Set));
    assert_eq!(said("store.max_offline"), is("7d", OptionSource::Set));
    assert_eq!(said("store.log_kind"), is("files", OptionSource::Stored));
    assert_eq!(said("store.durability"), is("sync", OptionSource::Default));
    assert_eq!(said("limits.live_keys"), is("1000", OptionSource::Set));
    assert_eq!(
        said("limits.free_disk_bytes"),
        is("256 MiB", OptionSource::Default)
    );
    assert_eq!(
        said("namespaces.pay.guarantee"),
        is("at-most-once", OptionSource::Stored)
    );
    assert_eq!(said("namespaces.pay.lease"), is("5m", OptionSource::Stored));
    assert_eq!(
        said("namespaces.pay.retention"),
        is("1d", OptionSource::Default)
    );
    assert_eq!(
        said("namespaces.pay.max_attempts"),
        is("", OptionSource::Default)
    );
    let table = explained.to_string();
    for line in [
        "[store]\ndurability         sync           default  When",
        "\n\n[namespaces.pay]\nguarantee          at-most-once   stored   What",
    ] {
        assert!(table.contains(line), "{table}");
    }
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json[0]["name"], "durability");
    assert_eq!(json[0]["unit"], "durability");
    // Each option of a section is there, except those that count only at open.
    let namespaced = explained
        .options()
        .iter()
        .filter(|o| o.section() == "namespaces.pay");
    let policy = serde_json::to_value(Policy::at_least_once()).unwrap();
    assert_eq!(namespaced.count(), policy.as_object().unwrap().len());
    assert!(explained.find("store.create").is_none());
}

#[test]
fn a_configuration_can_open_a_store_to_be_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("store");
    let known = jobs("at-least-once", "24h");
    let store = Store::builder(&path).config(&known).open().unwrap();
    store.configure(&known).unwrap();
    store.close().unwrap();
    let reading = config("[store]\nread_only = true\ncreate = false");
    let store = Store::builder(&path).config(&reading).open().unwrap();
    let option = store.explain().find("store.read_only").cloned().unwrap();
    assert_eq!(option.value(), Some("true"));
    store.configure(&known).unwrap();
    let error = store.configure(&jobs("at-least-once", "2h")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    store.close().unwrap();
    let writing = config("[store]\nread_only = false");
    let tool = Store::builder(&path).read_only().config(&writing);
    let error = tool.open().unwrap().configure(&jobs("at-least-once", "2h"));
    assert_eq!(
        error.unwrap_err().kind(),
        ErrorKind::ReadOnly,
        "the stricter of the two counts"
    );
    let error = Store::in_memory().config(&reading).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// `check` looked only at limits and namespaces, so `open` refused what it had accepted.
#[test]
fn what_open_would_refuse_is_refused_by_check() {
    for bad in [
        "shards = 0",
        "shards = 65537",
        "write_deadline = \"999ms\"",
        "durability = \"2m\"",
        "durability = \"0s\"",
    ] {
        let bad = config(&format!("[store]\n{bad}"));
        let refused = bad.check().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains("[store]"), "{refused}");
        Store::in_memory().config(&bad).open().unwrap_err();
    }
}

/// A namespace was checked against the default durability although the builder had named another,
/// so a policy that the store takes was refused.
#[test]
fn a_namespace_is_held_against_the_durability_that_is_in_force() {
    let window = hapax::Durability::Interval(Duration::from_secs(10));
    let store = Store::in_memory().durability(window).open().unwrap();
    let file = config("[namespaces.jobs]\nguarantee = \"at-least-once\"\ndurability = \"10s\"");
    store.configure(&file).unwrap();
}

/// The switch was read but not applied: the store went on believing the wall clock.
#[test]
fn a_configuration_can_take_back_that_a_jump_of_the_clock_is_accepted() {
    let place = tempfile::tempdir().unwrap();
    let builder = Store::builder(place.path().join("store"));
    let file = config("[store]\naccept_clock_jump = false");
    let store = builder.accept_clock_jump().config(&file).open().unwrap();
    let explained = store.explain();
    let value = |name: &str| explained.find(name).unwrap().value().map(str::to_owned);
    assert_eq!(value("store.accept_clock_jump").as_deref(), Some("false"));
    assert_eq!(value("store.max_offline").as_deref(), Some("30d"));
}
