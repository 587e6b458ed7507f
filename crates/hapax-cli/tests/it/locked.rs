//! Commands while another process holds the store.

use std::io::Read;
use std::process::Stdio;

use hapax::{LogKind, Policy, Store};

use crate::rig::{Holder, KINDS, Place, files, some_of_everything, some_of_everything_in};

#[test]
fn the_holder_of_the_store_is_named() {
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

/// Reading changes no byte.
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

/// `hapax export big | less` once held the lock of the store while the operator looked at the first page, and
/// the service could not start. Now the service starts, and the export ends.
#[test]
fn an_unread_export_keeps_no_service_from_starting() {
    let place = Place::new();
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    // More than a pipe holds.
    let keys: Vec<String> = (0..4000).map(|key| format!("key-{key:0>60}")).collect();
    mail.insert_many(&keys).unwrap();
    store.close().unwrap();

    let mut command = place.command();
    command
        .args(["export", "dedup"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut reading = command.spawn().unwrap();
    let mut out = reading.stdout.take().unwrap();
    let mut first = [0];
    out.read_exact(&mut first).unwrap();
    let service = Store::open(place.path()).unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let ran = reading.wait_with_output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(4), "{said}");
    let pid = format!("by process {}", std::process::id());
    assert!(
        said.contains(&pid) && said.contains("open it again"),
        "{said}"
    );
    service.close().unwrap();
    assert_eq!(place.run("export dedup").code, 0);
}
