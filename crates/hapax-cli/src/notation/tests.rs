//! Hostile keys, in every notation for people.

use crate::notation::escaped::{cut, line, text};
use crate::notation::key_text::{key, parse_key};

const HOSTILE: &[&[u8]] = &[
    b"order-42",
    b"\x1b[2J\x1b]0;owned\x07",
    b"a\nb\tc\r\0",
    b"back\\slash \\x41",
    b"0x41",
    b" ends ",
    b"--confirm",
    b"-",
    b"\xff\xfe",
    b"\x05order\x0242",
    b"\x04acme\x09POST /pay\x03k 1",
    b"\0\x01|\x05a|\\b ",
    b"@a|b|c",
    b"@a|b",
    b"@",
    b"\x03\x1b[2\x01b\x02c ",
    "\u{202e}txt.exe \u{200b}\u{9b}31m \u{e9} \u{65}\u{301}".as_bytes(),
    "\u{4e00}'\"".as_bytes(),
];

#[test]
fn what_is_shown_can_be_given_back() {
    for bytes in HOSTILE.iter().copied() {
        for hex in [false, true] {
            let shown = key(bytes, hex);
            assert_eq!(parse_key(&shown).unwrap(), bytes, "{shown}");
        }
    }
}

#[test]
fn no_control_character_is_left() {
    for bytes in HOSTILE {
        for shown in [
            key(bytes, false),
            text(bytes),
            cut(bytes, 5),
            line(&String::from_utf8_lossy(bytes)),
        ] {
            let harmless = |c: char| !c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c);
            assert!(shown.chars().all(harmless), "{shown:?}");
        }
    }
    assert_eq!(key(b"\x1b[2J", false), "\\u{1b}[2J");
    assert_eq!(key(b"0x41", false), "\\x30x41");
    let parts = b"\x04acme\x09POST /pay\x03k 1";
    assert_eq!(key(parts, false), "@acme|POST /pay|k 1");
    assert_eq!(key(b"@a|b|c", false), "\\x40a|b|c");
    assert_eq!(key(b"@a|b", false), "@a|b");
}

#[test]
fn what_cannot_be_read_is_refused() {
    for wrong in [
        "0x4",
        "0xzz",
        "\\",
        "\\q",
        "\\x4",
        "\\x+1",
        "\\u{d800}",
        "\\u41",
        "@a||c",
        "@a|b|",
        "@a|\\xff|c",
    ] {
        assert!(parse_key(wrong).is_err(), "{wrong}");
    }
}
