//! The audit log: who did what, and whether it was changed.

use hapax::audit::AuditLevel;
use hapax::{LogKind, Policy, Store};

use crate::rig::{Place, granted};

/// A store with a namespace that keeps its transitions with their keys, and one that keeps none.
fn audited(place: &Place) {
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let pay = Policy::at_most_once().audit(AuditLevel::Keys);
    let pay = store.namespace("pay", pay).unwrap();
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    granted(&pay, "order-40").complete("receipt 40").unwrap();
    granted(&pay, "order-41").doubt("lost").unwrap();
    granted(&mail, "user-7").complete("sent").unwrap();
    store.close().unwrap();
}

fn entries(place: &Place, options: &str) -> Vec<serde_json::Value> {
    let ran = place.run(&format!("audit list dedup --format json {options}"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

#[test]
fn entries_are_chosen_by_namespace_key_time_and_who() {
    let place = Place::new();
    audited(&place);
    for line in [
        "forget dedup user-7 -n mail --confirm --reason GDPR-7 --actor bob",
        "forget dedup order-40 -n pay --confirm --reason GDPR-8",
    ] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    for (options, count) in [
        ("", 6),
        ("-n pay", 5),
        ("-n mail", 1),
        ("-n pay --key order-40", 3),
        ("-n mail --key user-7", 1),
        ("-n mail --key nobody", 0),
        ("--operators", 2),
        ("--since 2020-01-01T00:00:00Z", 6),
        ("--until 2020-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(entries(&place, options).len(), count, "{options}");
    }
    let by_bob = &entries(&place, "-n mail")[0];
    assert_eq!(
        (&by_bob["actor"], &by_bob["reason"]),
        (&"bob".into(), &"GDPR-7".into())
    );
    assert_eq!(
        (&by_bob["origin"], &by_bob["key"]),
        (&"operator".into(), &serde_json::Value::Null)
    );
    assert_eq!(
        entries(&place, "-n pay")[0]["key"],
        "order-40",
        "its policy keeps keys"
    );
    assert_eq!(place.run("audit list dedup -n nobody").code, 2);
    assert_eq!(place.run("audit list dedup --since yesterday").code, 2);
}

#[test]
fn a_head_that_was_noted_tells_later_what_was_changed() {
    let place = Place::new();
    audited(&place);
    let verified = &place.run("audit verify dedup --format json").json()[0];
    assert_eq!(verified["verdict"], "whole", "{verified}");
    let head = verified["head"].as_str().unwrap();
    let forget = "forget dedup user-7 -n mail --confirm --reason GDPR-7";
    assert_eq!(place.run(forget).code, 0);
    let line = format!("audit verify dedup --against {head}");
    assert_eq!(place.run(&line).code, 0, "what came later is no change");
    let (number, link) = head.split_once(':').unwrap();
    let other = if link.starts_with('0') { "1" } else { "0" };
    let line = format!(
        "audit verify dedup --against {number}:{other}{}",
        &link[1..]
    );
    let broken = place.run(&line);
    assert_eq!(broken.code, 1, "{}{}", broken.out, broken.err);
    assert!(broken.out.contains("damaged"), "{}", broken.out);
    assert_eq!(place.run("audit verify dedup --against nonsense").code, 2);
}

/// A salvage that lost only entries of the audit log once said that everything was saved, and ended
/// with 0.
#[test]
fn a_salvage_tells_what_it_lost_of_the_audit_log() {
    let place = Place::new();
    audited(&place);
    for line in [
        "forget dedup user-7 -n mail --confirm --reason GDPR-7",
        "compact dedup",
        // A later entry shows that those before it are missing.
        "forget dedup order-40 -n pay --confirm --reason GDPR-8",
    ] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    let archives = std::fs::read_dir(place.path().join("audit")).unwrap();
    let archives: Vec<_> = archives.map(|entry| entry.unwrap().path()).collect();
    assert!(!archives.is_empty());
    for archive in archives {
        let mut bytes = std::fs::read(&archive).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&archive, bytes).unwrap();
    }
    let salvaged = place.run("salvage dedup saved --format json");
    let report = &salvaged.json()[0];
    assert_eq!(report["is_whole"], true, "{report}");
    // The janitor may have archived the segment of the removal too before the store was closed.
    let lost = report["lost_audit_entries"].as_u64().unwrap();
    assert!((4..=5).contains(&lost), "{report}");
    assert_eq!(salvaged.code, 1, "{report}");
    assert!(salvaged.err.contains("audit log"), "{}", salvaged.err);
}

/// `verify` once read only the log, and called a store whole though one of its audit archives was
/// damaged.
#[test]
fn verify_tells_of_a_damaged_audit_archive() {
    let place = Place::new();
    audited(&place);
    for line in [
        "forget dedup user-7 -n mail --confirm --reason GDPR-7",
        "compact dedup",
        // With a later entry, the store opens beside the damaged archive.
        "forget dedup order-40 -n pay --confirm --reason GDPR-8",
    ] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    let whole = place.run("verify dedup --format json");
    let report = &whole.json()[0];
    assert_eq!((whole.code, &report["verdict"]), (0, &"whole".into()));
    assert_eq!(report["audit_entries"], 6, "{report}");
    let archives = std::fs::read_dir(place.path().join("audit")).unwrap();
    let archives: Vec<_> = archives.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(report["audit_archives"], archives.len(), "{report}");
    let mut bytes = std::fs::read(&archives[0]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&archives[0], bytes).unwrap();
    let damaged = place.run("verify dedup --format json");
    let report = &damaged.json()[0];
    assert_eq!((damaged.code, &report["verdict"]), (1, &"damaged".into()));
    let told = report["place"].as_str().unwrap();
    assert!(told.contains("audit archive"), "{report}");
    let next = report["next"].as_str().unwrap();
    assert!(next.contains("the keys are whole"), "{report}");
    // Backup and restore still work for the keys, and both report the damage.
    for line in ["backup dedup before", "restore before again"] {
        let ran = place.run(&format!("{line} --format json"));
        let report = &ran.json()[0];
        assert_eq!(ran.code, 1, "{line}: {}", ran.err);
        assert_eq!(report["damaged_audit_archives"], 1, "{line}: {report}");
        assert!(ran.err.contains("the audit log"), "{line}: {}", ran.err);
    }
    assert_eq!(place.run("get again order-41 -n pay").code, 0);
    assert_eq!(place.run("verify again").code, 1);
}
