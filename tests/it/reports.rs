//! What programs read: keys and reports as JSON, and times as the standard library has them.

use std::time::{Duration, UNIX_EPOCH};

use hapax::audit::{AuditFilter, AuditLevel};
use hapax::scan::KeyFilter;
use hapax::{KeyInfo, KeyState, Namespace, Policy, Store};
use serde_json::{Value, json};

use crate::contract_support::{SECOND, World, claim, secs, with_print};

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn a_key_is_an_object_with_all_that_is_known_of_it() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let print = with_print(&work, "body").metadata("request 7");
    let hapax::Claim::Granted(lease) = work.claim_with("order-42", print).unwrap() else {
        unreachable!()
    };
    let token = lease.token();
    world.clock.advance(SECOND * 3);
    lease.complete("receipt").unwrap();
    let info = work.get("order-42").unwrap().unwrap();
    let expected = json!({
        "namespace": "work",
        "key": "order-42",
        "digest": info.digest().to_string(),
        "state": "completed",
        "token": token.to_string(),
        "attempt": 1,
        "first_claimed_at": secs(info.first_claimed_at()),
        "recorded_at": secs(info.first_claimed_at()) + 3,
        "expires_at": secs(info.expires_at().unwrap()),
        "metadata": "request 7",
        "reason": "",
        "body": "receipt",
        "body_omitted": false,
        "fingerprint": {"scheme": 1, "labels": ["body"]},
    });
    assert_eq!(json(&info), expected);
}

#[test]
fn bytes_that_are_no_text_are_digits() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let key = [0xff, 0x00];
    let hapax::Claim::Granted(lease) = work.claim(key).unwrap() else {
        unreachable!()
    };
    lease.doubt([0xc0]).unwrap();
    let told = json(&work.get(key).unwrap().unwrap());
    assert_eq!(
        (&told["key"], &told["key_hex"]),
        (&Value::Null, &json!("ff00"))
    );
    assert_eq!(
        (&told["state"], &told["reason_hex"]),
        (&json!("in_doubt"), &json!("c0"))
    );
    assert_eq!(
        (&told["expires_at"], &told["fingerprint"]),
        (&Value::Null, &Value::Null)
    );
    for state in [KeyState::InProgress, KeyState::Failed, KeyState::Released] {
        let name = json(&state);
        let name = name.as_str().unwrap().replace('_', " ");
        assert_eq!(name, state.to_string());
        assert_eq!(
            serde_json::from_value::<KeyState>(json(&state)).unwrap(),
            state
        );
    }
}

#[test]
fn reports_are_objects_with_their_accessors_as_members() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let store = Store::open(path("store")).unwrap();
    let audited = Policy::at_least_once().audit(AuditLevel::Digests);
    let work = store.namespace("work", audited).unwrap();
    claim(&work, "done").complete("done").unwrap();
    claim(&work, "doubt").doubt("a time-out").unwrap();
    store.sync().unwrap();

    let verified = store.verify().unwrap();
    let told = json!({
        "segments": verified.segments(), "frames": verified.frames(),
        "records": verified.records(), "live_records": verified.live_records(),
    });
    assert_eq!(json(&verified), told);
    let audit = store.verify_audit().unwrap();
    assert!(audit.entries() > 0);
    let told = json!({
        "entries": audit.entries(), "archives": 0, "archived": 0, "first": audit.first(),
        "head": audit.head().to_string(),
    });
    assert_eq!(json(&audit), told);
    let compacted = store.compact().unwrap();
    let told = json!({
        "segments_dropped": compacted.segments_dropped(),
        "records_carried": compacted.records_carried(),
        "freed_bytes": compacted.freed_bytes(), "is_complete": compacted.is_complete(),
    });
    assert_eq!(json(&compacted), told);
    let reconciled = store.reconcile(|_| None).unwrap();
    let told = json!({"resolved": 0, "unknown": 1, "holder_alive": 0, "waiting": 0});
    assert_eq!(json(&reconciled), told);
    let backup = store.backup(path("backup")).unwrap();
    let told = json!({
        "frames": backup.frames(), "audit_archives": 0, "damaged_audit_archives": 0,
    });
    assert_eq!(json(&backup), told);
    store.close().unwrap();
    let moved = Store::move_log(path("store"), hapax::LogKind::Files).unwrap();
    let told = json!({
        "segments": moved.segments(), "frames": moved.frames(), "bytes": moved.bytes(),
    });
    assert_eq!(json(&moved), told);
    std::fs::remove_file(path("store").join("MARKS")).unwrap();
    let salvage = Store::salvage(path("store"), path("rescued")).unwrap();
    let told = json(&salvage);
    assert_eq!(told["frames"], salvage.frames());
    assert_eq!(told["completed_keys"], 1);
    assert_eq!(told["keys_in_doubt"], 1);
    assert_eq!(told["is_whole"], false);
    assert_eq!(told["places"], json!(salvage.places()));
    assert_eq!(
        (&told["more_places"], &told["lost_frames"]),
        (&json!(0), &json!([]))
    );
}

#[test]
fn times_of_a_filter_may_lie_within_a_second() {
    let world = World::new();
    let audited = Policy::at_least_once().audit(AuditLevel::Digests);
    let work = world.namespace(audited);
    for key in ["first", "second", "third"] {
        work.insert(key).unwrap();
        world.clock.advance(SECOND);
    }
    let at = work.get("second").unwrap().unwrap().recorded_at();
    let keys = |filter| -> Vec<String> { names(&work, filter) };
    let (little, most) = (Duration::from_millis(1), Duration::from_millis(999));
    assert_eq!(
        keys(KeyFilter::new().recorded_from(at)),
        ["second", "third"]
    );
    assert_eq!(keys(KeyFilter::new().recorded_from(at + little)), ["third"]);
    assert_eq!(keys(KeyFilter::new().recorded_before(at)), ["first"]);
    assert_eq!(
        keys(KeyFilter::new().recorded_before(at + little)),
        ["first", "second"]
    );
    assert_eq!(
        keys(KeyFilter::new().recorded_before(at + most)),
        ["first", "second"]
    );
    assert_eq!(
        keys(KeyFilter::new().recorded_from(UNIX_EPOCH - SECOND)).len(),
        3
    );
    let entries = |filter| world.store.audit(filter).unwrap().count();
    assert_eq!(entries(AuditFilter::new().from(at)), 2);
    assert_eq!(entries(AuditFilter::new().from(at + little)), 1);
    assert_eq!(entries(AuditFilter::new().before(at + little)), 2);
    assert_eq!(at + SECOND * 2, world.store.stats().store_time());
}

fn names(work: &Namespace, filter: KeyFilter) -> Vec<String> {
    let met: hapax::Result<Vec<KeyInfo>> = work.scan(filter).unwrap().collect();
    let name = |info: &KeyInfo| String::from_utf8(info.key().to_vec()).unwrap();
    met.unwrap().iter().map(name).collect()
}
