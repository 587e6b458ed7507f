//! Beside a process that holds the store.

use hapax::LogKind;

use crate::rig::{Holder, KINDS, Place, files, some_of_everything, some_of_everything_in};

#[test]
fn whoever_holds_the_store_is_named_and_asked_first() {
    let place = Place::new();
    some_of_everything(&place.path());
    assert_eq!(place.run("export dedup --output keys.jsonl").code, 0);
    let holder = Holder::start(&place.path());
    for line in [
        "get dedup order-40 -n pay",
        "stuck dedup",
        "compact dedup",
        "forget dedup order-40 -n pay",
        "import dedup keys.jsonl --confirm --reason INC-42",
        "backup dedup copy",
    ] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{line}: {}", ran.err);
        assert!(ran.err.contains(&holder.pid().to_string()), "{}", ran.err);
        assert!(ran.err.contains("admin"), "{}", ran.err);
    }
}

#[test]
fn info_and_stat_work_beside_it() {
    let place = Place::new();
    some_of_everything(&place.path());
    let holder = Holder::start(&place.path());
    let info = &place.run("info dedup --format json").json()[0];
    assert_eq!(info["held_by_pid"], holder.pid(), "{info}");
    assert_eq!(info["namespaces"][1]["namespace"], "pay", "{info}");
    let stat = place.run("stat dedup");
    assert_eq!(stat.code, 0, "{}", stat.err);
    assert!(stat.out.contains(&holder.pid().to_string()), "{}", stat.out);
    let watched = place.run("stat dedup --watch --interval 1ms --count 3 --format json");
    assert_eq!(
        (watched.code, watched.json().len()),
        (0, 3),
        "{}",
        watched.err
    );
    holder.kill();
    let stat = &place.run("stat dedup --format json").json()[0];
    assert_eq!(
        (&stat["held_by_pid"], &stat["in_doubt"]),
        (&serde_json::Value::Null, &3.into()),
        "{stat}"
    );
}

/// Whoever only looks changes nothing, not even a byte.
#[test]
fn looking_changes_nothing() {
    for kind in KINDS {
        look(kind);
    }
}

fn look(kind: LogKind) {
    let place = Place::new();
    some_of_everything_in(&place.path(), kind);
    Holder::start(&place.path()).kill();
    let before = files(&place.path());
    for line in [
        "info dedup",
        "stat dedup",
        "get dedup order-40 -n pay --body",
        "scan dedup",
        "stuck dedup",
        "in-doubt dedup",
        "verify dedup",
        "export dedup",
        "backup dedup copy",
        "forget dedup --prefix order",
        "forget dedup --older-than 1s",
        "accept-salvage dedup",
        "audit list dedup",
        "audit verify dedup",
    ] {
        let ran = place.run(line);
        assert!([0, 1, 5].contains(&ran.code), "{line}: {}", ran.err);
        assert!(files(&place.path()) == before, "{line} changed the store");
    }
}
