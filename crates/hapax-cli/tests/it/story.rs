//! A night on call: diagnoses and repairs a store with stuck, in-doubt and damaged keys, with the
//! command line alone.

use std::fs;

use hapax::{Claim, LogKind, Store};

use crate::rig::{Holder, KINDS, Place, Ran, damage, some_of_everything_in};

/// Runs a command that must end with this code.
fn run(place: &Place, line: &str, code: i32) -> Ran {
    let ran = place.run(line);
    assert_eq!(ran.code, code, "{line}\n{}{}", ran.out, ran.err);
    ran
}

/// A member of the first object that a command prints.
fn member(place: &Place, line: &str, code: i32, name: &str) -> serde_json::Value {
    run(place, &format!("{line} --format json"), code).json()[0][name].clone()
}

/// Leaves what a killed service leaves: settled keys, a doubt of its own, two more from the kill, and
/// an unfinished key with a checkpoint.
fn what_is_left_after_the_crash(place: &Place, kind: LogKind) {
    some_of_everything_in(&place.path(), kind);
    run(place, "backup dedup before", 0);
    let holder = Holder::start(&place.path());
    let refused = run(place, "stuck dedup", 4);
    assert!(
        refused.err.contains(&holder.pid().to_string()),
        "{}",
        refused.err
    );
    assert_eq!(member(place, "info dedup", 0, "held_by_pid"), holder.pid());
    holder.kill();
    damage(&place.path(), b"receipt 41");
}

#[test]
fn stuck_in_doubt_and_damaged_keys_are_repaired_from_the_command_line_alone() {
    for kind in KINDS {
        a_night_on_call(kind);
    }
}

fn a_night_on_call(kind: LogKind) {
    let place = Place::new();
    what_is_left_after_the_crash(&place, kind);

    // The store does not open; the error names the reason and the way out.
    let stuck = run(&place, "stuck dedup", 3);
    assert!(stuck.err.contains("hapax salvage"), "{}", stuck.err);
    let verdict = run(&place, "verify dedup", 1);
    assert!(
        verdict.out.contains("damaged") && verdict.out.contains("next"),
        "{}",
        verdict.out
    );
    assert_eq!(member(&place, "verify dedup", 1, "verdict"), "damaged");

    // The salvage saves what is whole, reports what is lost, and keeps the damaged store as it is.
    let salvaged = run(&place, "salvage dedup saved --format json", 1);
    let report = &salvaged.json()[0];
    assert_eq!(report["is_whole"], false, "{report}");
    assert!(!report["places"].as_array().unwrap().is_empty(), "{report}");
    assert!(
        salvaged.err.contains("accept-salvage saved"),
        "{}",
        salvaged.err
    );
    run(&place, "verify saved", 0);
    assert_eq!(member(&place, "info saved", 1, "is_salvaged"), true);

    settle_what_is_in_doubt(&place);
    bring_back_what_was_lost(&place);
    judge(&place);
}

fn settle_what_is_in_doubt(place: &Place) {
    let table = run(place, "stuck saved", 1);
    assert!(
        table
            .out
            .contains("hapax resolve saved order-44 -n pay --token"),
        "{}",
        table.out
    );
    assert!(
        table.out.contains("the provider timed out"),
        "{}",
        table.out
    );
    let doubts = run(place, "in-doubt saved --format json", 1).json();
    let token = |key: &str| {
        let doubt = doubts.iter().find(|doubt| doubt["key"] == key);
        doubt.unwrap_or_else(|| panic!("{key} is in doubt: {doubts:?}"))["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // One doubt was looked up by hand: a dry run first, then the change.
    let line = format!(
        "resolve saved order-44 -n pay --token {} --happened 'receipt 44'",
        token("order-44")
    );
    let dry = run(place, &line, 5);
    assert!(
        dry.out.contains("in doubt") && dry.err.contains("--confirm"),
        "{}{}",
        dry.out,
        dry.err
    );
    run(
        place,
        &format!("{line} --confirm --reason 'INC-42: provider has it'"),
        0,
    );
    // The others come from a list by the provider.
    let list = ["order-45", "order-46", "order-41"].map(|key| {
        let Some(doubt) = doubts.iter().find(|doubt| doubt["key"] == key) else {
            return String::new();
        };
        let verdict = match key {
            "order-46" => "\"never_happened\":true",
            _ => "\"happened\":\"receipt of the provider\"",
        };
        format!(
            "{{\"namespace\":\"pay\",\"key\":\"{key}\",\"token\":{},{verdict}}}\n",
            doubt["token"]
        )
    });
    fs::write(place.root.path().join("provider.jsonl"), list.concat()).unwrap();
    run(place, "reconcile saved provider.jsonl", 5);
    run(
        place,
        "reconcile saved provider.jsonl --confirm --reason 'INC-42: list of 09:00'",
        0,
    );
    assert_eq!(run(place, "in-doubt saved --format json", 0).out, "");
}

/// Restores the damaged key from the backup, because even its claim may be lost.
fn bring_back_what_was_lost(place: &Place) {
    run(
        place,
        "export before --prefix order-41 --output order-41.jsonl",
        0,
    );
    let tally = run(place, "import saved order-41.jsonl --format json", 5);
    let missing = tally.json().last().unwrap()["imported"].as_u64().unwrap();
    let code = i32::from(missing == 0);
    run(
        place,
        "import saved order-41.jsonl --confirm --reason INC-42",
        code,
    );
    run(place, "accept-salvage saved", 5);
    run(
        place,
        "accept-salvage saved --confirm --reason 'INC-42: all looked up'",
        0,
    );
    assert_eq!(member(place, "info saved", 0, "is_salvaged"), false);
    run(place, "accept-salvage saved", 0);
}

/// Checks that the service can open the result, and that no payment is made twice.
fn judge(place: &Place) {
    run(place, "verify saved", 0);
    let left = run(place, "stuck saved --format json", 1).json();
    assert!(
        left.iter().all(|key| key["state"] == "released"),
        "{left:?}"
    );
    let actions = run(place, "audit list saved --format json", 0).json();
    assert!(
        actions.iter().all(|entry| entry["actor"] == "alice"),
        "{actions:?}"
    );
    assert!(
        actions.len() >= 4,
        "every settled key and the acceptance: {actions:?}"
    );
    run(place, "audit verify saved", 0);
    let store = Store::open(place.root.path().join("saved")).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    for key in [
        "order-40", "order-41", "order-42", "order-43", "order-44", "order-45",
    ] {
        let claim = pay.claim(key).unwrap();
        assert!(
            matches!(claim, Claim::Completed(_)),
            "{key} is paid: {claim:?}"
        );
    }
    assert!(
        matches!(pay.claim("order-46").unwrap(), Claim::Granted(_)),
        "it never happened"
    );
}
