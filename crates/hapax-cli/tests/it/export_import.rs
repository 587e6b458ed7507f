//! `import` reads what `export` writes.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use hapax::{Claim, KeyState, LogKind, Policy, Store};

use crate::rig::{Place, WEEK, granted, some_of_everything, words};

fn exported(place: &Place, store: &str) -> Vec<serde_json::Value> {
    let ran = place.run(&format!("export {store}"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut lines = ran.json();
    let end = lines.pop().unwrap();
    assert_eq!(
        (&end["type"], &end["lines"]),
        (&"end".into(), &lines.len().into())
    );
    lines
}

/// The members of a line that an import must restore.
fn kept(line: &serde_json::Value) -> serde_json::Value {
    let mut kept = line.clone();
    for new in [
        "token",
        "attempt",
        "first_claimed_at",
        "recorded_at",
        "expires_at",
    ] {
        kept.as_object_mut().unwrap().remove(new);
    }
    kept
}

fn sorted(lines: &[serde_json::Value]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| kept(line).to_string()).collect();
    lines.sort();
    lines
}

#[test]
fn a_store_comes_back_from_its_lines() {
    let place = Place::new();
    some_of_everything(&place.path());
    let store = Store::open(place.path()).unwrap();
    let mail = store.open_namespace("mail").unwrap();
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    granted(&mail, b"\xff\x00").complete(&body).unwrap();
    granted(&mail, "empty").complete("").unwrap();
    store.close().unwrap();
    let before = exported(&place, "dedup");
    assert_eq!(place.run("export dedup --output keys.jsonl").code, 0);
    let again = place.run("export dedup --output keys.jsonl");
    assert_eq!(
        again.code, 3,
        "a file that is there stays as it is: {}",
        again.err
    );

    let ran = place.run("import copy keys.jsonl --confirm --reason INC-42 --format json");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.json()[0]["imported"], 10, "{}", ran.out);
    let after = exported(&place, "copy");
    assert_eq!(sorted(&before), sorted(&after));

    let store = Store::open(place.root.path().join("copy")).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    let policy = Policy::at_most_once().retention(WEEK);
    assert_eq!(
        *pay.policy(),
        policy,
        "the namespaces come with their policies"
    );
    let Claim::Completed(answer) = pay.claim("order-40").unwrap() else {
        panic!("it is remembered")
    };
    assert_eq!(answer.response(), b"receipt 40");
    let Claim::InDoubt(doubt) = pay.claim("order-44").unwrap() else {
        panic!("a doubt stays one")
    };
    assert_eq!(
        (doubt.reason(), doubt.metadata()),
        (&b"the provider timed out"[..], &b"trace-44"[..])
    );
    let expires_at = |line: &serde_json::Value| line["expires_at"].as_str().map(str::to_owned);
    let expiry = before.iter().find(|line| line["key"] == "order-40");
    let expiry = expires_at(expiry.unwrap()).unwrap();
    let here = pay.get("order-40").unwrap().unwrap().expires_at();
    let here = here.unwrap().duration_since(std::time::UNIX_EPOCH);
    let later = here.unwrap().as_secs() - crate::rig::seconds(&expiry);
    assert!(later <= 2, "it expires when it did: {later} s later");
    let mail = store.open_namespace("mail").unwrap();
    let lease = granted(&mail, "user-9");
    assert_eq!(lease.last_checkpoint(), b"half of it");
    assert_eq!(mail.get([0xff, 0]).unwrap().unwrap().body(), body);
}

/// An export that was cut at the end of a line was once taken for one of fewer keys.
#[test]
fn a_file_that_is_not_all_of_an_export_is_refused_before_anything_is_done() {
    let place = Place::new();
    some_of_everything(&place.path());
    assert_eq!(place.run("export dedup --output keys.jsonl").code, 0);
    let whole = fs::read_to_string(place.root.path().join("keys.jsonl")).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().concat();
    let last = lines.len() - 1;
    let cases = [
        (without(last), "no end line", 8),
        (String::new(), "no end line", 0),
        (
            whole[..whole.len() - 3].to_owned(),
            "was cut within line 12",
            8,
        ),
        (
            without(last)[..whole.len() - 120].to_owned(),
            "was cut within line 11",
            7,
        ),
        (without(5), "10 lines before its end, and had 11", 7),
        (whole.replace("receipt 41", "receipt 14"), "checksum", 8),
        (format!("{whole}{}", lines[0]), "comes after the end", 8),
    ];
    for (text, why, keys) in cases {
        fs::write(place.root.path().join("cut.jsonl"), &text).unwrap();
        for confirm in ["", "--confirm --reason INC-42"] {
            let ran = place.run(&format!("import copy cut.jsonl {confirm}"));
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{why}: {}", ran.err);
            assert!(ran.err.contains(why), "{why}: {}", ran.err);
            assert!(ran.err.contains("--partial"), "{}", ran.err);
        }
        assert!(!place.root.path().join("copy").exists(), "{why}");
        let known = place.run("import copy cut.jsonl --partial --format json");
        assert_eq!(known.code, 5, "{why}: {}", known.err);
        assert!(known.err.contains(why), "{why}: {}", known.err);
        assert_eq!(known.json()[0]["imported"], keys, "{why}: {}", known.err);
    }
    // Line ends that a mail or an editor changed make no difference.
    let text = whole.replace('\n', "\r\n") + "\n";
    fs::write(place.root.path().join("cut.jsonl"), text).unwrap();
    let ran = place.run("import copy cut.jsonl --confirm --reason INC-42");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// Standard input is read to its end first, so a broken pipe leaves no half of a store.
#[test]
fn what_is_piped_in_is_whole_or_refused() {
    let place = Place::new();
    some_of_everything(&place.path());
    let exported = place.run("export dedup").out;
    let piped = |text: &str| {
        let mut import = place.command();
        import.args(words("import copy - --confirm --reason INC-42"));
        import.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut import = import.spawn().unwrap();
        let mut to = import.stdin.take().unwrap();
        to.write_all(text.as_bytes()).unwrap();
        drop(to);
        import.wait_with_output().unwrap().status.code()
    };
    let (cut, _) = exported.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(piped(cut), Some(2));
    assert!(!place.root.path().join("copy").exists());
    assert_eq!(piped(&exported), Some(0));
}

/// An interrupted import can run again: it skips the keys that are there, and lists those that differ.
#[test]
fn an_import_goes_on_where_it_ended() {
    let place = Place::new();
    some_of_everything(&place.path());
    assert_eq!(place.run("export dedup --output keys.jsonl").code, 0);
    let lines = fs::read_to_string(place.root.path().join("keys.jsonl")).unwrap();
    let half: Vec<&str> = lines.lines().take(6).collect();
    fs::write(place.root.path().join("half.jsonl"), half.join("\n")).unwrap();
    assert_eq!(
        place
            .run("import copy half.jsonl --partial --confirm --reason INC-42")
            .code,
        0
    );

    let dry = place.run("import copy keys.jsonl --format json");
    assert_eq!(
        dry.code, 5,
        "a store that is there is changed only when that is meant"
    );
    let tally = &dry.json()[0];
    assert_eq!(
        (&tally["done"], &tally["there_already"], &tally["imported"]),
        (&false.into(), &3.into(), &5.into())
    );
    assert_eq!(exported(&place, "copy").len(), 6);

    let ran = place.run("import copy keys.jsonl --confirm --reason INC-42 --format json");
    assert_eq!(
        (ran.code, &ran.json()[0]["imported"]),
        (0, &5.into()),
        "{}",
        ran.err
    );
    let again = place.run("import copy keys.jsonl --confirm --reason INC-42 --format json");
    assert_eq!(
        (again.code, &again.json()[0]["there_already"]),
        (0, &8.into())
    );

    let store = Store::open(place.root.path().join("copy")).unwrap();
    let mail = store.open_namespace("mail").unwrap();
    assert!(mail.forget("user-7").unwrap());
    granted(&mail, "user-7").complete("sent otherwise").unwrap();
    store.close().unwrap();
    let differs = place.run("import copy keys.jsonl --confirm --reason INC-42 --format json");
    let objects = differs.json();
    assert_eq!(
        (differs.code, &objects[0]["result"], &objects[0]["key"]),
        (1, &"differs".into(), &"user-7".into())
    );
    assert_eq!(objects[1]["differ"], 1);
}

#[test]
fn a_key_that_the_store_refuses_is_as_absent_as_before() {
    let place = Place::new();
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let small = Policy::at_most_once().max_response(10);
    store.namespace("pay", small).unwrap();
    store.close().unwrap();
    let line = |key: &str, body: &str| {
        format!(
            "{{\"type\":\"key\",\"namespace\":\"pay\",\"key\":\"{key}\",\"state\":\"completed\",\"expires_at\":\"2099-01-01T00:00:00Z\",\"body\":\"{body}\"}}\n"
        )
    };
    // A store remembers for ten years at most.
    let long = line("far", "short");
    let soon = |key: &str, body: &str| line(key, body).replace("2099", "2030");
    let large = soon("c", &"c".repeat(20_000)).replace("completed", "released");
    let lines = [
        large,
        soon("a", "short"),
        soon("b", "longer than ten"),
        soon("a", "short"),
        long,
    ];
    fs::write(place.root.path().join("keys.jsonl"), lines.concat()).unwrap();
    let ran =
        place.run("import dedup keys.jsonl --partial --confirm --reason INC-42 --format json");
    let objects = ran.json();
    assert_eq!(
        (ran.code, objects.last().unwrap()["refused"].as_u64()),
        (1, Some(3)),
        "{}",
        ran.out
    );
    assert_eq!(objects.last().unwrap()["imported"], 1, "{}", ran.out);
    let twice = &objects.last().unwrap()["there_already"];
    assert_eq!(*twice, 1, "{}", ran.out);
    let store = Store::open(place.path()).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    assert_eq!(pay.get("a").unwrap().unwrap().state(), KeyState::Completed);
    for refused in ["b", "c", "far"] {
        assert!(pay.get(refused).unwrap().is_none(), "{refused}");
    }
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_its_line() {
    let place = Place::new();
    some_of_everything(&place.path());
    let key = "{\"type\":\"key\",\"namespace\":\"pay\",";
    let space = "{\"type\":\"namespace\",\"namespace\":\"new\",\"policy\":{";
    for (line, why) in [
        ("nonsense".to_owned(), "line 2: expected"),
        ("{\"type\":x}".to_owned(), "value, in column 9"),
        ("{\"type\":\"else\"}".to_owned(), "type"),
        ("{\"type\":\"export\",\"version\":9}".to_owned(), "newer"),
        (format!("{space}}}}}"), "guarantee"),
        (format!("{space}\"guarantee\":\"Never\"}}}}"), "Never"),
        (
            format!("{space}\"guarantee\":\"AtMostOnce\",\"new\":1}}}}"),
            "newer",
        ),
        (format!("{key}\"state\":\"completed\"}}"), "no key"),
        (
            format!("{key}\"key\":\"a\",\"state\":\"gone\"}}"),
            "no state",
        ),
        (
            format!("{key}\"key\":\"a\",\"key_hex\":\"0x62\",\"state\":\"failed\"}}"),
            "different keys",
        ),
        (
            format!("{key}\"key\":\"a\",\"state\":\"failed\",\"body_base64\":\"?\"}}"),
            "base64",
        ),
        (
            format!("{key}\"key\":\"a\",\"state\":\"failed\",\"expires_at\":\"soon\"}}"),
            "UTC",
        ),
        (
            "{\"type\":\"key\",\"namespace\":\"other\",\"key\":\"a\",\"state\":\"failed\"}"
                .to_owned(),
            "other",
        ),
    ] {
        let text = format!("{{\"type\":\"export\",\"version\":1}}\n{line}\n");
        fs::write(place.root.path().join("keys.jsonl"), text).unwrap();
        let ran = place.run("import dedup keys.jsonl --partial --confirm --reason INC-42");
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(why), "{line}: {}", ran.err);
    }
}

/// A file of an older version knows fewer knobs, and a file written by hand names few.
#[test]
fn a_policy_may_leave_out_what_is_at_its_default() {
    let place = Place::new();
    let text = "{\"type\":\"namespace\",\"namespace\":\"pay\",\"policy\":{\"guarantee\":\"AtMostOnce\",\"max_attempts\":3}}\n";
    fs::write(place.root.path().join("keys.jsonl"), text).unwrap();
    let ran = place.run("import dedup keys.jsonl --partial --confirm --reason INC-42");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let store = Store::open(place.path()).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    assert_eq!(*pay.policy(), Policy::at_most_once().max_attempts(3));
}

#[test]
fn one_store_is_piped_into_another() {
    let place = Place::new();
    some_of_everything(&place.path());
    let mut export = place
        .command()
        .args(["export", "dedup"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let import = place
        .command()
        .args(words(
            "import copy - --confirm --reason INC-42 --format json",
        ))
        .stdin(export.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(export.wait().unwrap().success());
    let tally: serde_json::Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!(tally["imported"], 8, "{tally}");
}

/// Imported keys once had no actor, and a dry run filled a new store.
#[test]
fn an_import_is_an_action_of_an_operator() {
    let place = Place::new();
    some_of_everything(&place.path());
    assert_eq!(place.run("export dedup --output keys.jsonl").code, 0);
    let dry = place.run("import copy keys.jsonl --format json");
    assert_eq!((dry.code, dry.json()[0]["imported"].as_u64()), (5, Some(8)));
    assert!(!place.root.path().join("copy").exists());
    let unsaid = place.run("import copy keys.jsonl --confirm");
    assert_eq!(unsaid.code, 2, "{}", unsaid.err);
    let mut unnamed = place.command();
    unnamed.env_remove("USER");
    let unnamed = unnamed.args(words("import copy keys.jsonl --confirm --reason INC-42"));
    assert_eq!(unnamed.output().unwrap().status.code(), Some(2));
    assert!(!place.root.path().join("copy").exists());

    let line = "import copy keys.jsonl --confirm --reason INC-42 --actor bob";
    assert_eq!(place.run(line).code, 0);
    let entries = place
        .run("audit list copy --operators --format json")
        .json();
    assert_eq!(entries.len(), 8);
    for entry in entries {
        let said = |name: &str| entry[name].as_str().unwrap().to_owned();
        assert_eq!(said("transition"), "inserted");
        assert_eq!(
            (said("actor"), said("reason")),
            ("bob".into(), "INC-42".into())
        );
    }
}

/// An import cannot restore fingerprints, and a namespace that requires them would refuse every retry.
#[test]
fn a_namespace_that_requires_fingerprints_refuses_its_keys() {
    let place = Place::new();
    let space = "{\"type\":\"namespace\",\"namespace\":\"pay\",\"policy\":{\"guarantee\":\"AtMostOnce\",\"fingerprints\":\"Required\"}}\n";
    let key = "{\"type\":\"key\",\"namespace\":\"pay\",\"key\":\"a\",\"state\":\"in_doubt\"}\n";
    fs::write(place.root.path().join("keys.jsonl"), [space, key].concat()).unwrap();
    let ran = place.run("import dedup keys.jsonl --partial --confirm --reason INC-42");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("requires a fingerprint"), "{}", ran.out);
    assert_eq!(place.run("scan dedup --format json").out, "");
}

/// An import that is killed at any moment leaves whole keys, and imports the others when it runs again. It once
/// left up to a batch of keys in doubt, because it claimed them first.
#[test]
fn an_import_that_was_killed_goes_on() {
    /// Many batches, so that the kill comes between two of them.
    const KEYS: u32 = 8000;
    let place = Place::new();
    let space = "{\"type\":\"namespace\",\"namespace\":\"pay\",\"policy\":{\"guarantee\":\"AtMostOnce\"}}\n";
    let key = |number: u32| {
        format!(
            "{{\"type\":\"key\",\"namespace\":\"pay\",\"key\":\"order-{number}\",\"state\":\"completed\",\"expires_at\":\"2030-01-01T00:00:00Z\",\"body\":\"{number}\"}}\n"
        )
    };
    let lines: String = std::iter::once(space.to_owned())
        .chain((0..KEYS).map(key))
        .collect();
    fs::write(place.root.path().join("keys.jsonl"), &lines).unwrap();
    let mut import = place
        .command()
        .args(words("import dedup - --partial --confirm --reason INC-42"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut to = import.stdin.take().unwrap();
    to.write_all(lines.as_bytes()).unwrap();
    drop(to);
    // Waits until the first batch is on the medium.
    while !Store::survey(place.path()).is_ok_and(|survey| survey.durable_frame() > 1) {
        std::thread::yield_now();
    }
    // The import may have ended by itself.
    let _ = import.kill();
    import.wait().unwrap();
    let ran =
        place.run("import dedup keys.jsonl --partial --confirm --reason INC-42 --format json");
    let tally = ran.json().pop().unwrap();
    let count = |name: &str| tally[name].as_u64().unwrap();
    assert_eq!(ran.code, 0, "{tally} {}", ran.err);
    assert!(count("there_already") > 0, "{tally}");
    assert_eq!(
        count("imported") + count("there_already"),
        u64::from(KEYS),
        "{tally}"
    );
    let there = place.run("stat dedup --format json").json();
    assert_eq!(there[0]["completed"], KEYS);
}

/// An import once created the store before it opened the file. A mistyped name left an empty store
/// behind, and the next try took it for an existing one.
#[test]
fn an_import_of_no_file_makes_no_store() {
    let place = Place::new();
    let ran = place.run("import copy nowhere.jsonl");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(!place.root.path().join("copy").exists());
    let folder = place.run("import copy .");
    assert_eq!(folder.code, 3, "{}", folder.err);
    assert!(folder.err.contains("reading .:"), "{}", folder.err);
}

/// Half an export looks like a whole one of fewer keys; it once stayed when the disk was full.
#[cfg(unix)]
#[test]
fn an_export_that_cannot_be_written_leaves_no_file() {
    let place = Place::new();
    let store = Store::open(place.path()).unwrap();
    let space = store.namespace("mail", Policy::at_least_once()).unwrap();
    let keys = (0..3000).map(|number| format!("key {number}"));
    space.insert_many(keys.collect::<Vec<_>>()).unwrap();
    store.close().unwrap();
    let program = place.command().get_program().to_owned();
    let ended = std::process::Command::new("sh")
        .current_dir(place.root.path())
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 16; exec \"$0\" export dedup --output keys.jsonl",
        ])
        .arg(program)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("writing keys.jsonl"), "{said}");
    assert!(!place.root.path().join("keys.jsonl").exists());
}
