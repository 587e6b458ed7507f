//! What verbs do beyond the examples of docs/cli.md.

use std::fs;
use std::time::Duration;

use hapax::{KeyState, LogKind, Policy, Store};

use crate::rig::{Place, WEEK, clock_of_the_past, damage, granted, some_of_everything};

#[test]
fn a_response_is_shown_cut_or_as_it_is() {
    let place = Place::new();
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    let body: Vec<u8> = (0..=255).cycle().take(3000).collect();
    granted(&mail, "binary").complete(&body).unwrap();
    granted(&mail, "text").complete("a".repeat(2000)).unwrap();
    store.close().unwrap();

    let raw = place
        .command()
        .args(["get", "dedup", "binary", "--raw"])
        .output()
        .unwrap();
    assert_eq!(raw.stdout, body);
    let plain = place.run("get dedup text");
    assert!(
        !plain.out.contains("aaa"),
        "nothing is shown unasked: {}",
        plain.out
    );
    let cut = place.run("get dedup text --body --length 5");
    assert!(cut.out.contains("  aaaaa...\n"), "{}", cut.out);
    let object = &place.run("get dedup binary --body --format json").json()[0];
    let base64 = object["body_base64"].as_str().unwrap();
    assert_eq!(
        data_encoding::BASE64.decode(base64.as_bytes()).unwrap(),
        body
    );
}

#[test]
fn keys_are_chosen_by_state_age_and_prefix() {
    let place = Place::new();
    some_of_everything(&place.path());
    let store = Store::open(place.path()).unwrap();
    granted(&store.open_namespace("mail").unwrap(), "new")
        .complete("")
        .unwrap();
    store.close().unwrap();
    for (options, keys) in [
        ("", 9),
        ("-n mail", 4),
        ("--state completed", 6),
        ("--state completed --state failed", 7),
        ("--prefix order-4", 5),
        ("--older-than 2days", 8),
        ("--older-than 3days", 0),
        ("--older-than 0s", 9),
        ("-n pay --state in-doubt --prefix order --older-than 1h", 1),
        ("--limit 2", 2),
    ] {
        let ran = place.run(&format!("scan dedup --format json {options}"));
        assert_eq!(
            (ran.code, ran.json().len()),
            (0, keys),
            "{options}: {}",
            ran.err
        );
    }
}

#[test]
fn a_doubt_is_settled_in_each_way_and_only_once() {
    for (verdict, state, body) in [
        ("--happened 'receipt 44'", KeyState::Completed, "receipt 44"),
        (
            "--happened-file receipt.txt",
            KeyState::Completed,
            "from a file",
        ),
        ("--failed declined", KeyState::Failed, "declined"),
        ("--failed-file receipt.txt", KeyState::Failed, "from a file"),
        ("--never-happened", KeyState::Released, ""),
    ] {
        let place = Place::new();
        some_of_everything(&place.path());
        fs::write(place.root.path().join("receipt.txt"), "from a file").unwrap();
        let token = place.run("in-doubt dedup --format json").json()[0]["token"].clone();
        let line = format!(
            "resolve dedup order-44 -n pay --token {} {verdict}",
            token.as_str().unwrap()
        );
        assert_eq!(place.run(&line).code, 5);
        assert_eq!(
            place.run("in-doubt dedup").code,
            1,
            "a dry run changes nothing"
        );
        let confirmed = format!("{line} --confirm --reason 'INC-42: looked up'");
        let ran = place.run(&confirmed);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(place.run(&confirmed).code, 6, "it is no doubt any more");
        let store = Store::open(place.path()).unwrap();
        let info = store
            .open_namespace("pay")
            .unwrap()
            .get("order-44")
            .unwrap()
            .unwrap();
        assert_eq!((info.state(), info.body()), (state, body.as_bytes()));
    }
}

#[test]
fn many_doubts_are_settled_from_a_file_or_none() {
    let place = Place::new();
    some_of_everything(&place.path());
    let store = Store::open(place.path()).unwrap();
    granted(&store.open_namespace("pay").unwrap(), "order-47")
        .doubt("lost")
        .unwrap();
    store.close().unwrap();
    let doubts = place.run("in-doubt dedup --format json").json();
    let line = |at: usize, verdict: &str| {
        format!(
            "{{\"namespace\":\"pay\",\"key_hex\":{},\"token\":{},{verdict}}}\n",
            doubts[at]["key_hex"], doubts[at]["token"]
        )
    };
    let settle = |lines: &[String]| {
        fs::write(place.root.path().join("answers.jsonl"), lines.concat()).unwrap();
        place.run("reconcile dedup answers.jsonl --confirm --reason 'INC-42'")
    };
    let wrong = line(1, "\"never_happened\":true").replace("\"token\":\"", "\"token\":\"1");
    let ran = settle(&[line(0, "\"happened\":\"receipt\""), wrong]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert_eq!(
        place.run("in-doubt dedup --format json").json().len(),
        2,
        "none was settled"
    );
    let both = settle(&[line(0, "\"happened\":\"receipt\",\"failed\":\"no\"")]);
    assert_eq!((both.code, both.err.contains("line 1")), (2, true));
    let ran = settle(&[
        line(0, "\"happened_base64\":\"AP8=\""),
        line(1, "\"never_happened\":true"),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(place.run("in-doubt dedup").code, 0);
    let raw = place
        .command()
        .args(["get", "dedup", "order-44", "-n", "pay", "--raw"])
        .output()
        .unwrap();
    assert_eq!(raw.stdout, [0, 0xff]);
}

#[test]
fn keys_are_forgotten_when_that_is_meant() {
    let place = Place::new();
    some_of_everything(&place.path());
    let dry = place.run("forget dedup --prefix order");
    assert_eq!((dry.code, dry.out.lines().count()), (5, 5), "{}", dry.out);
    assert_eq!(place.run("scan dedup --format json").json().len(), 8);
    let ran = place.run("forget dedup --prefix order --confirm --reason 'GDPR-7'");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        place.run("scan dedup --format json").json().len(),
        4,
        "a doubt is not forgotten with others"
    );
    let token = place.run("in-doubt dedup --format json").json()[0]["token"].clone();
    let line = format!(
        "forget dedup order-44 -n pay --token {} --confirm --reason 'GDPR-7'",
        token.as_str().unwrap()
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(place.run("in-doubt dedup").code, 0);
}

/// `forget` once ignored the answer of the store, and showed nothing for a key that did not exist.
#[test]
fn a_key_that_was_not_there_is_told_as_such() {
    let place = Place::new();
    some_of_everything(&place.path());
    for (line, code, state, done, result) in [
        ("forget dedup order-40 -n pay", 5, "completed", false, None),
        (
            "forget dedup order-40 -n pay --confirm --reason GDPR-7",
            0,
            "completed",
            true,
            Some("forgotten"),
        ),
        (
            "forget dedup order-40 -n pay --confirm --reason GDPR-7",
            1,
            "absent",
            false,
            Some("was_not_there"),
        ),
        (
            "forget dedup order-40 -n pay",
            1,
            "absent",
            false,
            Some("was_not_there"),
        ),
    ] {
        let ran = place.run(&format!("{line} --format json"));
        let row = &ran.json()[0];
        assert_eq!(ran.code, code, "{line}: {row} {}", ran.err);
        assert_eq!((&row["state"], &row["done"]), (&state.into(), &done.into()));
        assert_eq!(row["result"].as_str(), result, "{line}: {row}");
    }
    let entries = place.run("audit list dedup --operators --format json");
    assert_eq!(entries.json().len(), 1, "{}", entries.out);
}

#[test]
fn a_backup_is_a_store_again() {
    let place = Place::new();
    some_of_everything(&place.path());
    assert_eq!(place.run("backup dedup copy").code, 0);
    assert_eq!(
        place.run("backup dedup copy").code,
        3,
        "what is there is not written over"
    );
    let info = &place.run("info copy --format json").json()[0];
    assert_eq!(info["is_backup"], true, "{info}");
    assert_eq!(place.run("verify copy").code, 0);
    let ran = place.run("compact copy");
    assert_eq!(ran.code, 3, "a backup is only read");
    assert!(ran.err.contains("hapax restore"), "{}", ran.err);
    damage(&place.path(), b"receipt 40");
    assert_eq!(place.run("verify dedup").code, 1);
    let ran = place.run("restore dedup whole");
    assert_eq!(ran.code, 3, "a store is no backup: {}", ran.err);
    assert!(!place.root.path().join("whole").exists());
    let ran = place.run("restore copy whole");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(place.run("verify whole").code, 0);
    assert_eq!(place.run("scan whole --format json").json().len(), 8);
}

#[test]
fn who_and_why_have_to_be_said() {
    let place = Place::new();
    some_of_everything(&place.path());
    let unnamed = |line: &str| {
        let mut command = place.command();
        let ran = command
            .env_remove("USER")
            .args(crate::rig::words(line))
            .output()
            .unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    let line = "forget dedup order-40 -n pay --confirm";
    let (code, said) = unnamed(&format!("{line} --actor bob"));
    assert!(code == Some(2) && said.contains("--reason"), "{said}");
    let (code, said) = unnamed(&format!("{line} --reason INC-42"));
    assert!(code == Some(2) && said.contains("--actor"), "{said}");
    // An empty reason was once accepted.
    for reason in ["''", "' '"] {
        let (code, said) = unnamed(&format!("{line} --actor bob --reason {reason}"));
        assert!(
            code == Some(2) && said.contains("reason is empty"),
            "{said}"
        );
    }
    let (code, said) = unnamed(&format!("{line} --reason INC-42 --actor bob"));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_rest_runs() {
    let place = Place::new();
    let bench = place.run("bench . --time 5ms --format json");
    assert_eq!((bench.code, bench.json().len()), (0, 8), "{}", bench.err);
    assert!(
        fs::read_dir(place.root.path()).unwrap().next().is_none(),
        "it leaves nothing behind"
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = place.run(&format!("completions {shell}"));
        assert!(ran.code == 0 && ran.out.contains("in-doubt"), "{shell}");
    }
    assert!(place.run("man").out.contains("Exit codes"));
    assert!(place.run("man resolve").out.contains("never"));
    assert_eq!(place.run("man nonsense").code, 2);
}

#[test]
fn a_doubt_shows_what_it_is_looked_up_by() {
    let place = Place::new();
    some_of_everything(&place.path());
    let shown = &place
        .run("in-doubt dedup --derived-key psp --format json")
        .json()[0];
    let store = Store::open(place.path()).unwrap();
    let doubt = store.doubts().unwrap().next().unwrap().unwrap();
    assert_eq!(shown["derived_key"], doubt.derived_key("psp"));
    assert_eq!(shown["metadata"], "trace-44");
    store.close().unwrap();
    for (options, count) in [
        ("--prefix order", 1),
        ("--prefix else", 0),
        ("--older-than 3days", 0),
        ("-n mail", 0),
    ] {
        let ran = place.run(&format!("in-doubt dedup --format json {options}"));
        assert_eq!(
            (ran.code, ran.json().len()),
            (i32::from(count > 0), count),
            "{options}"
        );
    }
}

#[test]
fn long_lists_are_oldest_first_from_their_first_row_to_their_last() {
    let place = Place::new();
    let clock = clock_of_the_past();
    let store = Store::builder(place.path()).log_kind(LogKind::Files);
    let store = store.clock(&clock).open().unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    let kept = Policy::at_least_once().attempt_retention(WEEK);
    let mail = store.namespace("mail", kept).unwrap();
    for n in 0..1200 {
        let lease = granted(&pay, format!("order-{n}"));
        lease.doubt("the provider timed out").unwrap();
        if n % 2 == 0 {
            let reason = "the server is busy";
            granted(&mail, format!("user-{n}")).release(reason).unwrap();
        }
        clock.advance(Duration::from_secs(u64::from(n % 10 == 0)));
    }
    store.close().unwrap();
    let doubts: Vec<String> = (0..1200).map(|n| format!("order-{n}")).collect();
    let both = |n: usize| {
        let user = (n % 2 == 0).then(|| format!("user-{n}"));
        std::iter::once(format!("order-{n}")).chain(user)
    };
    let stuck: Vec<String> = (0..1200).flat_map(both).collect();
    for (verb, keys) in [("in-doubt", &doubts), ("stuck", &stuck)] {
        let options = "dedup";
        let listed = place.run(&format!("{verb} {options} --format json"));
        let named: Vec<_> = listed.json().iter().map(|key| key["key"].clone()).collect();
        assert_eq!(&named, keys, "{verb}");
        let table = place.run(&format!("{verb} {options} --prefix order-"));
        let cell = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
        let named: Vec<_> = table.out.lines().skip(1).map(cell).collect();
        assert_eq!(named, doubts, "{verb}");
        let none = place.run(&format!("{verb} {options} --older-than 1000days"));
        assert_eq!((none.code, none.out.as_str()), (0, ""));
    }
}

/// The commands that `stuck` proposes work as they are.
#[test]
fn what_is_next_can_be_done_as_it_is_told() {
    let place = Place::new();
    some_of_everything(&place.path());
    let store = Store::open(place.path()).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    granted(&pay, "it's\n\x1b a key").doubt("").unwrap();
    store.close().unwrap();
    let stuck = place.run("stuck dedup -n pay --format json").json();
    assert_eq!(stuck.len(), 2);
    for key in stuck {
        let (_, command) = key["next"].as_str().unwrap().split_once("hapax ").unwrap();
        let shell = format!("{} {command} --never-happened", env!("CARGO_BIN_EXE_hapax"));
        let ran = std::process::Command::new("sh")
            .current_dir(place.root.path())
            .args(["-c", &shell])
            .output()
            .unwrap();
        assert_eq!(
            ran.status.code(),
            Some(5),
            "{shell}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

#[test]
fn a_store_without_its_manifest_is_saved_by_what_is_known_of_it() {
    let place = Place::new();
    some_of_everything(&place.path());
    place.run("backup dedup before");
    fs::remove_file(place.path().join("MANIFEST")).unwrap();
    assert_eq!(place.run("scan dedup").code, 3);
    assert_eq!(place.run("salvage dedup first").code, 3);
    let ran = place.run("salvage dedup second --manifest-of before --format json");
    assert_eq!(
        (ran.code, &ran.json()[0]["saved_keys"]),
        (0, &8.into()),
        "{}",
        ran.err
    );
    let named = "--namespace 1:mail:at-least-once --namespace 2:pay:at-most-once";
    let ran = place.run(&format!("salvage dedup third {named} --format json"));
    assert_eq!(
        (ran.code, &ran.json()[0]["seed_is_lost"]),
        (1, &true.into()),
        "{}",
        ran.err
    );
    assert_eq!(
        place.run("get third order-40 -n pay --raw").out,
        "receipt 40"
    );
    assert_eq!(place.run("salvage dedup fourth --namespace mail").code, 2);
}
