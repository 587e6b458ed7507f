//! Vectors for RFC 8941, keys without quotes, and properties of any bytes.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use crate::request::header::KeySyntax::{Lenient, Strict};
use crate::request::header::{
    CLIENT_KEY_BYTES_MAX, ClientKey, KeySyntax, MalformedKey, key_of, parse_key,
};

/// This text as a String of section 3.3.3.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{escaped}\"")
}

fn strict(value: impl AsRef<[u8]>) -> Result<String, MalformedKey> {
    parse_key(value.as_ref(), Strict).map(|key| key.as_str().to_owned())
}

fn lenient(value: impl AsRef<[u8]>) -> Result<String, MalformedKey> {
    parse_key(value.as_ref(), Lenient).map(|key| key.as_str().to_owned())
}

/// Both syntaxes read this key.
#[track_caller]
fn both(value: impl AsRef<[u8]>, key: &str) {
    assert_eq!(strict(&value).as_deref(), Ok(key));
    assert_eq!(lenient(&value).as_deref(), Ok(key));
}

/// Both syntaxes find it malformed, for the same reason.
#[track_caller]
fn neither(value: impl AsRef<[u8]>, reason: MalformedKey) {
    assert_eq!(strict(&value), Err(reason));
    assert_eq!(lenient(&value), Err(reason));
}

fn bad_string(at: usize) -> MalformedKey {
    MalformedKey::BadString { at }
}

#[test]
fn a_string_is_a_key() {
    both(
        r#""8e03978e-40d5-43e8-bc93-6894a57f9324""#,
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
    );
    both(r#""a""#, "a");
    both(r#"" ""#, " ");
    both(r#""  two  words  ""#, "  two  words  ");
    both(r#""a, b; c=d (e) :f: ?1""#, "a, b; c=d (e) :f: ?1");
    let printable: String = (' '..='~').collect();
    both(quoted(&printable), &printable);
}

#[test]
fn a_string_has_two_escapes() {
    both(r#""\"""#, "\"");
    both(r#""\\""#, "\\");
    both(r#""\\\"""#, "\\\"");
    both(r#""\"\"\"""#, "\"\"\"");
    both(r#""a\"b\\c""#, "a\"b\\c");
    both(r#""\\n""#, "\\n");
    for escaped in (0..=0xff_u8).filter(|byte| !b"\"\\".contains(byte)) {
        let value = [b"\"ab\\".as_slice(), &[escaped], b"c\""].concat();
        let reason = if escaped.is_ascii() {
            bad_string(4)
        } else {
            MalformedKey::NotAscii { at: 4 }
        };
        neither(value, reason);
    }
    neither(r#""ab\"#, bad_string(4));
    neither(r#""ab\""#, bad_string(5));
}

#[test]
fn a_string_is_printable_ascii() {
    for byte in 0..=0xff_u8 {
        let value = [b"\"a".as_slice(), &[byte], b"b\""].concat();
        match byte {
            b'"' => neither(value, bad_string(3)),
            b'\\' => neither(value, bad_string(3)),
            b' '..=b'~' => both(value, &format!("a{}b", char::from(byte))),
            0x80.. => neither(value, MalformedKey::NotAscii { at: 2 }),
            _ => neither(value, bad_string(2)),
        }
    }
    neither("\"caf\u{e9}\"", MalformedKey::NotAscii { at: 4 });
}

#[test]
fn a_string_ends_and_nothing_follows() {
    neither(r#"""#, bad_string(1));
    neither(r#""abc"#, bad_string(4));
    neither(r#""abc" x"#, bad_string(6));
    neither(r#""abc"x"#, bad_string(5));
    neither(r#""abc""def""#, bad_string(5));
    neither(r#""abc" "def""#, bad_string(6));
    neither(r#""abc","#, bad_string(5));
    neither(b"\"abc\"\0", bad_string(5));
    neither(b"\"abc\"\n", bad_string(5));
}

#[test]
fn an_apostrophe_is_no_quote() {
    assert_eq!(strict("'abc'"), Err(MalformedKey::NotAString));
    assert_eq!(lenient("'abc'").as_deref(), Ok("'abc'"));
    both("\"'abc'\"", "'abc'");
    let at = 4;
    assert_eq!(strict("'abc\""), Err(MalformedKey::NotAString));
    assert_eq!(lenient("'abc\""), Err(MalformedKey::BadCharacter { at }));
}

#[test]
fn spaces_around_it_do_not_count() {
    both(r#"  "abc""#, "abc");
    both(r#""abc"   "#, "abc");
    both(r#"   "abc";a   "#, "abc");
    // A tab is not an SP: HTTP removes it before it reads a structured field, and so does the lenient syntax.
    for value in ["\t\"abc\"", "\"abc\"\t", " \t \"abc\" \t "] {
        assert!(strict(value).is_err(), "{value:?}");
        assert_eq!(lenient(value).as_deref(), Ok("abc"), "{value:?}");
    }
    assert_eq!(strict("\t\"abc\""), Err(bad_string(0)));
    assert_eq!(strict("\"abc\"\t"), Err(bad_string(5)));
    // Positions count from after the blanks.
    neither(r#"   "abc"x"#, bad_string(5));
}

#[test]
fn an_empty_key_is_none() {
    for value in [
        "",
        " ",
        "    ",
        "\t",
        " \t ",
        r#""""#,
        r#"  ""  "#,
        r#""";a=1"#,
    ] {
        neither(value, MalformedKey::Empty);
    }
}

#[test]
fn parameters_are_read_and_count_for_nothing() {
    let parameters = [
        ";a",
        "; a",
        ";   a",
        ";a;b;c",
        ";a;a;a",
        ";a=1",
        ";a=-0",
        ";a=007",
        ";a=999999999999999",
        ";a=-999999999999999",
        ";a=1.5",
        ";a=-1.125",
        ";a=999999999999.999",
        ";a=?0",
        ";a=?1",
        ";a=token",
        ";a=*t/o:k!#$%&'*+-.^_`|~en",
        ";a=\"text\"",
        ";a=\"\"",
        ";a=\"\\\\ \\\" ; , \"",
        ";a=::",
        ";a=:aGFwYXg=:",
        ";a=:aGFwYXg:",
        ";a=1;b=?0;c=x; d=\"y\";e=:eg==:",
        ";*",
        ";*=1",
        ";a0_-.*=1",
    ];
    for parameter in parameters {
        let value = format!("\"abc\"{parameter}");
        assert_eq!(strict(&value).as_deref(), Ok("abc"), "{value}");
        assert_eq!(lenient(&value).as_deref(), Ok("abc"), "{value}");
    }
}

#[test]
fn parameters_have_to_be_well_formed() {
    let parameters = [
        ";",
        "; ",
        ";;a",
        " ;a",
        ";a ;b",
        ";A",
        ";aB",
        ";1",
        ";_a",
        ";-a",
        ";.a",
        ";a b",
        ";\ta",
        ";a=",
        ";a= 1",
        ";a =1",
        ";a==1",
        ";a=-",
        ";a=--1",
        ";a=+1",
        ";a=.5",
        ";a=1.",
        ";a=1.1234",
        ";a=1.1.1",
        ";a=1000000000000000",
        ";a=1234567890123.1",
        ";a=1e3",
        ";a=?",
        ";a=?2",
        ";a=?true",
        ";a=\"x",
        ";a=\"\\n\"",
        ";a='x'",
        ";a=:aGFw",
        ";a=:a-_w:",
        ";a=:a Fw:",
        ";a=()",
        ";a=(1 2)",
        ";a={}",
        ";a=@1659578233",
        ";a=%\"x\"",
    ];
    for parameter in parameters {
        let value = format!("\"abc\"{parameter}");
        for syntax in [Strict, Lenient] {
            let reason = parse_key(value.as_bytes(), syntax).expect_err(&value);
            assert!(matches!(reason, MalformedKey::BadString { .. }), "{value}");
        }
    }
}

#[test]
fn other_items_are_no_strings() {
    let items = [
        "abc",
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
        "a1b2",
        "*",
        "*a/b:c",
        "1",
        "-1",
        "42.125",
        "999999999999999",
        "?0",
        "?1",
        ":aGFwYXg=:",
        "::",
        "@1659578233",
    ];
    for item in items {
        assert_eq!(strict(item), Err(MalformedKey::NotAString), "{item}");
        assert_eq!(lenient(item).as_deref(), Ok(item), "{item}");
        let parameter = format!("{item};a=1");
        assert_eq!(strict(&parameter), Err(MalformedKey::NotAString));
        let at = item.len();
        assert_eq!(lenient(&parameter), Err(MalformedKey::BadCharacter { at }));
    }
}

#[test]
fn a_list_is_no_key() {
    let lists = [
        r#""a", "b""#,
        r#""a","b""#,
        r#""a", "a""#,
        r#""a"	,	"b""#,
        r#""a";x=1, "b""#,
        r#"("a")"#,
        r#"("a" "b")"#,
        r#"("a");x"#,
        "()",
        "(a)",
        "a, b",
        "a,b",
        r#"a, "b""#,
    ];
    for list in lists {
        neither(list, MalformedKey::List);
    }
}

#[test]
fn a_bare_key_is_the_quoted_one() {
    for byte in 0..=0xff_u8 {
        let value = [b"a".as_slice(), &[byte], b"b"].concat();
        match byte {
            b',' => assert_eq!(lenient(value), Err(MalformedKey::List)),
            b'"' | b'\\' | b';' | 0..=b' ' | 0x7f => {
                assert_eq!(lenient(value), Err(MalformedKey::BadCharacter { at: 1 }));
            }
            0x80.. => assert_eq!(lenient(value), Err(MalformedKey::NotAscii { at: 1 })),
            _ => {
                let text = format!("a{}b", char::from(byte));
                assert_eq!(lenient(value), strict(quoted(&text)));
                assert_eq!(lenient(format!("\t {text} \t")), Ok(text));
            }
        }
    }
}

#[test]
fn a_key_has_at_most_255_bytes_without_its_quotes() {
    let longest = "k".repeat(CLIENT_KEY_BYTES_MAX);
    both(quoted(&longest), &longest);
    assert_eq!(lenient(&longest).as_ref(), Ok(&longest));
    // Escapes do not count.
    let escaped = "\\".repeat(CLIENT_KEY_BYTES_MAX);
    both(quoted(&escaped), &escaped);
    for bytes in [256, 257, 10_000] {
        let long = "k".repeat(bytes);
        neither(quoted(&long), MalformedKey::TooLong { bytes });
        assert_eq!(lenient(&long), Err(MalformedKey::TooLong { bytes }));
    }
}

#[test]
fn one_header_line_has_the_key() {
    let name = HeaderName::from_static("x-idempotency-key");
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", HeaderValue::from_static("\"other\""));
    assert_eq!(key_of(&headers, &name, Lenient), Ok(None));
    headers.append(&name, HeaderValue::from_static("\"abc\""));
    let key = key_of(&headers, &name, Strict).expect("one line");
    assert_eq!(key.as_ref().map(ClientKey::as_str), Some("abc"));
    for lines in 2..5 {
        headers.append(&name, HeaderValue::from_static("\"abc\""));
        let refused = Err(MalformedKey::Repeated { lines });
        assert_eq!(key_of(&headers, &name, Strict), refused);
        assert_eq!(key_of(&headers, &name, Lenient), refused);
    }
    headers.insert(&name, HeaderValue::from_static(""));
    assert_eq!(key_of(&headers, &name, Lenient), Err(MalformedKey::Empty));
    let opaque = HeaderValue::from_bytes(b"\xff").expect("http allows it");
    headers.insert(&name, opaque);
    let reason = MalformedKey::NotAscii { at: 0 };
    assert_eq!(key_of(&headers, &name, Lenient), Err(reason));
}

#[test]
fn no_text_shows_a_key() {
    let secret = "Zq7Zq7Zq7";
    let key = parse_key(secret.as_bytes(), Lenient).expect("bare");
    assert_eq!(format!("{key:?}"), "ClientKey(9 bytes)");
    assert_eq!(format!("{:?}", Some(&key)), "Some(ClientKey(9 bytes))");
    let values = [
        format!("\"{secret}"),
        format!("\"{secret}\", \"{secret}\""),
        format!("({secret})"),
        format!("{secret}\u{e9}"),
        format!("{secret}\\"),
        secret.repeat(100),
    ];
    for value in values {
        for syntax in [Strict, Lenient] {
            let reason = parse_key(value.as_bytes(), syntax).expect_err("malformed");
            let text = format!("{reason} {reason:?}");
            assert!(!text.contains("Zq7"), "{text}");
            assert!(text.contains("\"<a UUID>\""), "{text}");
        }
    }
}

#[test]
fn lenient_is_the_default() {
    assert_eq!(KeySyntax::default(), Lenient);
}

/// Bytes that are often almost a key.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b";a=".to_vec()),
        Just(b", ".to_vec()),
        Just(b" \t".to_vec()),
        Just(b"(?1 :YQ==: 1.5)".to_vec()),
        "[ -~]{0,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..3),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_key_or_malformed(value in value()) {
        let (strict, lenient) = (parse_key(&value, Strict), parse_key(&value, Lenient));
        if let Ok(key) = &strict {
            prop_assert_eq!(lenient.as_ref(), Ok(key), "strict is a part of lenient");
        }
        if let Ok(key) = &lenient {
            let text = key.as_str();
            prop_assert!((1..=CLIENT_KEY_BYTES_MAX).contains(&text.len()));
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let again = parse_key(quoted(text).as_bytes(), Strict);
            prop_assert_eq!(again.as_ref(), Ok(key));
        }
    }

    #[test]
    fn a_quoted_text_is_read_back(text in "[ -~]{1,255}", before in " {0,3}", after in " {0,3}") {
        let value = format!("{before}{}{after}", quoted(&text));
        prop_assert_eq!(strict(&value), Ok(text.clone()));
        prop_assert_eq!(lenient(&value), Ok(text.clone()));
    }

    #[test]
    fn a_bare_text_equals_its_quoted_form(
        first in "[!#-'*+\\-.-:<-\\[\\]-~)]",
        rest in "[!#-+\\-.-:<-\\[\\]-~]{0,254}",
        blanks in "[ \t]{0,3}",
    ) {
        let text = first + &rest;
        let value = format!("{blanks}{text}{blanks}");
        prop_assert_eq!(lenient(&value), Ok(text.clone()));
        prop_assert_eq!(lenient(&value), strict(quoted(&text)));
        prop_assert!(strict(&value).is_err());
    }
}
