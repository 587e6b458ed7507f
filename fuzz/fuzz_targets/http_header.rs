//! A header's value from any bytes, in both syntaxes, and any rule over the key that was read: one
//! key for all its spellings, and a typed refusal for everything else that does not quote it.
//!
//! `ci/fuzz 60 http_header`
//!
//! An input is four bytes for the rule, then the value.

#![no_main]

mod bounded;

use hapax_http::{ClientKey, KeyRule, KeySyntax, key_of, parse_key};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((knobs, value)) = input.split_first_chunk::<4>() else {
        return;
    };
    let key = both_syntaxes(value);
    as_header(value);
    if let Some(key) = key {
        spellings(&key);
        rules(*knobs, value, &key);
    }
});

/// What lenient syntax reads; strict reads the same or nothing.
fn both_syntaxes(value: &[u8]) -> Option<ClientKey> {
    let strict = parse_key(value, KeySyntax::Strict);
    let lenient = parse_key(value, KeySyntax::Lenient);
    if let Ok(key) = &strict {
        assert_eq!(lenient.as_ref(), Ok(key), "strict is a part of lenient");
    }
    for refused in [strict.err(), lenient.as_ref().err().copied()] {
        let said = refused.map(|reason| reason.to_string());
        assert!(said.is_none_or(|text| text.contains("; send ")));
    }
    lenient.ok()
}

/// A header map says the same of one line, and refuses two.
fn as_header(value: &[u8]) {
    let Ok(line) = HeaderValue::from_bytes(value) else {
        return;
    };
    let name = HeaderName::from_static("idempotency-key");
    let mut headers = HeaderMap::new();
    headers.append(&name, line.clone());
    for syntax in [KeySyntax::Strict, KeySyntax::Lenient] {
        let read = key_of(&headers, &name, syntax);
        assert_eq!(read, parse_key(value, syntax).map(Some));
    }
    headers.append(&name, line);
    assert!(key_of(&headers, &name, KeySyntax::Lenient).is_err());
}

/// The key between quotes is that key, and without them it is that key or malformed.
fn spellings(key: &ClientKey) {
    let text = key.as_str();
    assert!((1..=255).contains(&text.len()));
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
    for quoted in [format!("\"{escaped}\""), format!("  \"{escaped}\";a=1 ")] {
        for syntax in [KeySyntax::Strict, KeySyntax::Lenient] {
            assert_eq!(parse_key(quoted.as_bytes(), syntax).as_ref(), Ok(key));
        }
    }
    let bare = !text.starts_with('(') && !text.contains([' ', '"', '\\', ',', ';']);
    let read = parse_key(text.as_bytes(), KeySyntax::Lenient);
    assert!(!bare || read.as_ref() == Ok(key));
    assert_eq!(
        format!("{key:?}"),
        format!("ClientKey({} bytes)", text.len())
    );
}

fn rules([forms, min, max, bits]: [u8; 4], value: &[u8], key: &ClientKey) {
    let form = |form: u8| match form % 5 {
        0 => KeyRule::any(),
        1 => KeyRule::uuid(),
        2 => KeyRule::uuid_v4(),
        3 => KeyRule::uuid_v7(),
        _ => KeyRule::ulid(),
    };
    let mut narrow = form(forms);
    if min < 128 {
        narrow = narrow.min_bytes(usize::from(min));
    }
    if max > 0 {
        narrow = narrow.max_bytes(usize::from(max) * 2);
    }
    if bits < 160 {
        narrow = narrow.min_entropy_bits(u32::from(bits));
    }
    if forms >= 128 {
        narrow = narrow.alphabet(&String::from_utf8_lossy(value));
    }
    let other = form(forms / 5);
    let either = narrow.clone().or(other.clone());
    let takes = |rule: &KeyRule| rule.check(key).is_ok();
    assert!(takes(&KeyRule::any()));
    assert_eq!(takes(&either), takes(&narrow) || takes(&other));
    assert_eq!(either.validate().is_ok(), narrow.validate().is_ok());
    assert!(
        !takes(&narrow) || takes(&form(forms)),
        "a knob lets nothing in"
    );
    for rule in [narrow, other, either] {
        one_rule(&rule, key);
    }
}

/// A refusal says what the rule takes; the canonical spelling is one, and stays.
fn one_rule(rule: &KeyRule, key: &ClientKey) {
    if let Err(refused) = rule.check(key) {
        assert_eq!(
            refused.to_string(),
            format!("{}; send {rule}", refused.fault())
        );
    }
    let canonical = rule.canonical(key);
    assert!(canonical.eq_ignore_ascii_case(key.as_str()));
    if canonical != key.as_str() {
        let read = parse_key(canonical.as_bytes(), KeySyntax::Lenient);
        let again = read.expect("a UUID or a ULID needs no quotes");
        assert_eq!(rule.canonical(&again), canonical);
    }
}
