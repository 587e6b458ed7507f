//! Bytes that a client chose never act on the terminal of an operator.

use hapax::{LogKind, Policy, Store};

use crate::rig::{Place, granted};

/// Keys that clear the screen, set its title, reverse the text, or are not text.
const KEYS: &[&[u8]] = &[
    b"\x1b[2J\x1b]0;owned\x07",
    "\u{202e}cipher\u{9b}31m\u{7f}".as_bytes(),
    b"\xff\x00\r\n",
    b"--confirm",
];

fn hostile_store(place: &Place) {
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let space = store
        .namespace("\u{1b}[31mpay", Policy::at_most_once())
        .unwrap();
    for key in KEYS {
        let options = hapax::ClaimOptions::new().metadata(*key);
        let hapax::Claim::Granted(lease) = space.claim_with(key, options).unwrap() else {
            panic!("granted")
        };
        lease.doubt(key).unwrap();
    }
    granted(&space, "done").complete(KEYS.concat()).unwrap();
    store.close().unwrap();
}

fn check(text: &str) {
    let harmless =
        |c: char| c == '\n' || (!c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c));
    assert!(text.chars().all(harmless), "{text:?}");
}

#[test]
fn no_control_character_reaches_the_terminal() {
    let place = Place::new();
    hostile_store(&place);
    for line in [
        "info dedup",
        "stat dedup",
        "scan dedup",
        "stuck dedup",
        "in-doubt dedup",
        "get dedup done --body",
        "get dedup nothing",
        "get dedup done --namespace '\u{1b}[2Jother'",
        "forget dedup --state completed",
        "export dedup",
        "verify dedup",
    ] {
        for format in ["", " --format json", " --key-hex"] {
            let ran = place.run(&format!("{line}{format}"));
            check(&ran.out);
            check(&ran.err);
            assert!(
                !ran.out.is_empty() || !ran.err.is_empty(),
                "{line}: says something"
            );
        }
    }
}

#[test]
fn a_key_that_is_shown_can_be_given_back() {
    let place = Place::new();
    hostile_store(&place);
    let text = place.run("in-doubt dedup");
    let json = place.run("in-doubt dedup --format json").json();
    assert_eq!(json.len(), KEYS.len());
    for object in json {
        let hex = object["key_hex"].as_str().unwrap();
        let got = place.hapax(["get", "dedup", hex, "--format", "json"]);
        assert_eq!(
            (got.code, &got.json()[0]["key_hex"]),
            (0, &object["key_hex"])
        );
    }
    for line in text.out.lines().skip(1) {
        let key = line.split("  ").nth(1).unwrap();
        assert_eq!(place.hapax(["get", "dedup", key]).code, 0, "{key}");
    }
}
