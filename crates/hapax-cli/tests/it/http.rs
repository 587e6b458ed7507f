//! Keys of the HTTP layer: found by what a client sent, and settled with an answer for clients.

use std::fs;

use hapax::{Claim, Store};
use hapax_http_types::{KeyParts, StoredResponse};

use crate::rig::{CLIENT_KEY, Place, Ran, keys_of_http};

fn shop() -> (Place, String) {
    let place = Place::new();
    keys_of_http(&place.path());
    let key = format!("@acme|POST /payments|{CLIENT_KEY}");
    (place, key)
}

/// The token of the one doubt.
fn token(place: &Place) -> String {
    let doubts = place.run("in-doubt dedup --format json").json();
    doubts[0]["token"].as_str().unwrap().to_owned()
}

/// Resolves the doubt with these arguments, confirmed.
fn resolve(place: &Place, key: &str, more: &[&str]) -> Ran {
    let token = token(place);
    let mut line = vec!["resolve", "dedup", key, "--token", &*token];
    line.extend(["--confirm", "--reason", "INC-42"]);
    line.extend(more);
    place.hapax(line)
}

/// The answer that the next client of the key gets.
fn answer(place: &Place) -> StoredResponse {
    let store = Store::open(place.path()).unwrap();
    let payments = store.open_namespace("payments").unwrap();
    let key = KeyParts::new("acme", "POST /payments", CLIENT_KEY).to_key();
    let bytes = match payments.claim(key).unwrap() {
        Claim::Completed(answer) => answer.response().to_vec(),
        Claim::Failed(answer) => answer.error().to_vec(),
        other => panic!("settled: {other:?}"),
    };
    store.close().unwrap();
    StoredResponse::from_bytes(bytes.into()).unwrap()
}

#[test]
fn keys_are_found_by_their_parts_in_every_list() {
    let (place, _) = shop();
    let upper = CLIENT_KEY.to_uppercase();
    for (line, count) in [
        (format!("scan dedup --client-key {upper}"), 2),
        (
            format!("scan dedup --client-key {CLIENT_KEY} --tenant umbrella"),
            1,
        ),
        ("scan dedup --operation 'POST /payments'".to_owned(), 2),
        ("scan dedup --operation 'POST /refunds'".to_owned(), 0),
        (format!("in-doubt dedup --client-key {CLIENT_KEY}"), 1),
        ("in-doubt dedup --tenant umbrella".to_owned(), 0),
        ("stuck dedup --tenant acme".to_owned(), 1),
        ("forget dedup --tenant umbrella".to_owned(), 1),
    ] {
        let ran = place.run(&format!("{line} --format json"));
        assert_eq!(ran.json().len(), count, "{line}: {}{}", ran.out, ran.err);
    }
    let parts = &place.run("scan dedup --tenant acme --format json").json()[0]["key_parts"];
    assert_eq!(parts["operation"], "POST /payments");
    let one = place.hapax([
        "get",
        "dedup",
        &format!("@umbrella|POST /payments|{CLIENT_KEY}"),
    ]);
    assert_eq!(one.code, 0, "{}", one.err);
    let both = place.run("forget dedup order-42 --tenant umbrella");
    assert_eq!(both.code, 2, "{}", both.err);
}

/// `--happened RESPONSE` once stored bytes that the layer answers with 410, and there was no way to give the form that
/// it needs.
#[test]
fn a_doubt_is_settled_with_an_answer_over_http() {
    let (place, key) = shop();
    let plain = resolve(&place, &key, &["--happened", "receipt 44"]);
    assert_eq!(plain.code, 6, "{}", plain.err);
    assert!(plain.err.contains("--happened-http"), "{}", plain.err);
    for wrong in [
        &["--happened-http", "99"][..],
        &["--happened-http", "201", "--header", "no colon"],
        &["--happened-http", "204", "--body", "x"],
        &["--happened", "x", "--header", "a: b"],
        &["--happened", "x", "--failed-http", "402"],
    ] {
        let refused = resolve(&place, &key, wrong);
        assert_eq!(refused.code, 2, "{wrong:?}: {}", refused.err);
    }
    fs::write(place.root.path().join("body.json"), "{\"id\":\"ch_44\"}").unwrap();
    let header = "content-type: application/json";
    let meant = [
        "--happened-http",
        "201",
        "--header",
        header,
        "--body-file",
        "body.json",
    ];
    let done = resolve(&place, &key, &meant);
    assert_eq!(done.code, 0, "{}", done.err);
    let answer = answer(&place);
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(&answer.body().unwrap()[..], b"{\"id\":\"ch_44\"}");
}

#[test]
fn the_other_ways_of_settling_have_answers_too() {
    let (place, key) = shop();
    let failed = resolve(
        &place,
        &key,
        &["--failed-http", "402", "--body", "declined"],
    );
    assert_eq!(failed.code, 0, "{}", failed.err);
    assert_eq!(answer(&place).status().as_u16(), 402);

    let (place, key) = shop();
    let raw = resolve(&place, &key, &["--happened", "receipt 44", "--raw"]);
    assert_eq!(raw.code, 0, "{}", raw.err);
    let got = place.hapax(["get", "dedup", &key, "--raw"]);
    assert_eq!(got.out, "receipt 44");
}

#[test]
fn reconcile_takes_answers_over_http() {
    let (place, _) = shop();
    let key = KeyParts::new("acme", "POST /payments", CLIENT_KEY).to_key();
    let hex: String = key
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let token = token(&place);
    let line = |verdict: &str| {
        let line = format!(
            "{{\"namespace\":\"payments\",\"key_hex\":\"0x{hex}\",\"token\":\"{token}\",{verdict}}}\n"
        );
        fs::write(place.root.path().join("list.jsonl"), line).unwrap();
        place.run("reconcile dedup list.jsonl --confirm --reason INC-42")
    };
    let plain = line("\"happened\":\"receipt 44\"");
    assert_eq!(plain.code, 6, "{}", plain.err);
    for wrong in [
        "\"happened_http\":{\"status\":99}",
        "\"happened_http\":{\"status\":200},\"failed\":\"x\"",
        "\"happened_http\":{\"status\":200,\"headres\":[]}",
    ] {
        assert_eq!(line(wrong).code, 2, "{wrong}");
    }
    let done = line("\"happened_http\":{\"status\":201,\"headers\":[\"a: b\"],\"body\":\"paid\"}");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(answer(&place).headers()["a"], "b");
}
