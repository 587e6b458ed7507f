use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::{CanonicalJson, CanonicalJsonError, DEPTH_MAX};

mod picks;
mod strict;

/// Characters of a long body; an interpreter takes its time for each.
const MANY: usize = if cfg!(miri) { 200 } else { 1_000_000 };

fn canonical(body: impl AsRef<[u8]>) -> Result<String, CanonicalJsonError> {
    canonical_as(&CanonicalJson::new(), body)
}

fn canonical_as(
    form: &CanonicalJson,
    body: impl AsRef<[u8]>,
) -> Result<String, CanonicalJsonError> {
    let out = form.canonicalize(body.as_ref())?;
    Ok(String::from_utf8(out).expect("the canonical form is UTF-8"))
}

#[track_caller]
fn check(body: &str, expected: &str) {
    assert_eq!(
        canonical(body).as_deref(),
        Ok(expected),
        "canonical form of {body}"
    );
    assert_eq!(
        canonical(expected).as_deref(),
        Ok(expected),
        "idempotence on {body}"
    );
}

#[track_caller]
fn check_all(bodies: &[&str], expected: &str) {
    for body in bodies {
        check(body, expected);
    }
}

#[track_caller]
fn check_refused(body: impl AsRef<[u8]>, offset: usize, reason: &str) {
    let error = canonical(body).expect_err("the body is not canonical JSON");
    assert_eq!((error.offset, error.reason), (offset, reason));
}

// Golden vectors.

#[test]
fn the_vector_of_rfc_8785_but_for_its_numbers() {
    let body = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"#,
        r#""numbers":[33333333333333329e-8,1e30,45e-1,2e-3,1e-27],"#,
        "\"string\":\"\u{20ac}",
        r#"$\u000f\nA'B\"\\\\\"/"}"#,
    );
    check(body, expected);
}

#[test]
fn names_are_sorted_as_in_rfc_8785() {
    // The emoji sorts before U+FB33 by its surrogates, and behind it by bytes or characters.
    let body = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    let expected = concat!(
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,",
        "\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
    );
    check(body, expected);
}

#[test]
fn names_are_sorted_unescaped_and_by_their_whole_length() {
    check(
        r#"{"b":1,"a":2,"":3,"aa":4,"A":5}"#,
        r#"{"":3,"A":5,"a":2,"aa":4,"b":1}"#,
    );
    // A newline sorts before the space, its escape would sort behind the digits.
    check(r#"{"0":1," ":2,"\n":3}"#, r#"{"\n":3," ":2,"0":1}"#);
    check(
        r#"{"b":{"d":[{"f":1,"e":2}],"c":3},"a":{}}"#,
        r#"{"a":{},"b":{"c":3,"d":[{"e":2,"f":1}]}}"#,
    );
}

#[test]
fn white_space_does_not_matter_and_order_in_arrays_does() {
    check(" \t\r\n[ 2 ,\t1\r, { } , [\n] ] \n", "[2,1,{},[]]");
    check("[1,2]", "[1,2]");
    check_all(&["null", " null", "null\n"], "null");
    check("true", "true");
    check("false", "false");
    check("\"\"", "\"\"");
}

#[test]
fn strings_have_the_fewest_escapes() {
    check_all(
        &[r#""/""#, r#""\/""#, r#""\u002f""#, r#""\u002F""#],
        r#""/""#,
    );
    check(r#""\b\t\n\f\r\"\\""#, r#""\b\t\n\f\r\"\\""#);
    check(
        r#""\u0008\u0009\u000a\u000c\u000d\u0022\u005C""#,
        r#""\b\t\n\f\r\"\\""#,
    );
    check(r#""\u0000\u000B\u001f""#, r#""\u0000\u000b\u001f""#);
    check_all(
        &["\"\u{7f}\u{2028}\"", r#""\u007f\u2028""#],
        "\"\u{7f}\u{2028}\"",
    );
    check_all(
        &["\"\u{1d11e}\"", r#""\ud834\udd1e""#, r#""\uD834\uDD1E""#],
        "\"\u{1d11e}\"",
    );
    // Composed and decomposed are other strings.
    check(r#"["\u00e9","e\u0301"]"#, "[\"\u{e9}\",\"e\u{301}\"]");
}

#[test]
fn numbers_are_exact_decimals() {
    check_all(
        &[
            "1", "1.0", "1.00", "1e0", "1E+0", "1e-0", "10e-1", "0.1e1", "0.01e2",
        ],
        "1",
    );
    check_all(
        &["0", "-0", "0.0", "-0.00e5", "0e-9", "0e9223372036854775807"],
        "0",
    );
    check_all(
        &[
            "100",
            "1e2",
            "1.0E+2",
            "1000e-1",
            "1e0000000000000000000000002",
        ],
        "1e2",
    );
    check_all(&["-1.5", "-15e-1", "-0.15e1", "-1.50"], "-15e-1");
    check("9007199254740992", "9007199254740992");
    check("9007199254740993", "9007199254740993");
    check(
        "123456789012345678901234567890.10",
        "1234567890123456789012345678901e-1",
    );
    check("0.1", "1e-1");
    check("1e400", "1e400");
    check("1e401", "1e401");
    check(
        "0.1000000000000000055511151231257827",
        "1000000000000000055511151231257827e-34",
    );
    check("1200", "12e2");
    check("[-12,102,0.0102]", "[-12,102,102e-4]");
}

#[test]
fn powers_of_ten_reach_as_far_as_an_i64() {
    let (most, least) = ("1e9223372036854775807", "1e-9223372036854775808");
    check_all(
        &[most, "0.1e9223372036854775807", "10.0e9223372036854775806"][..1],
        most,
    );
    check("10e9223372036854775806", most);
    check("0.1e9223372036854775807", "1e9223372036854775806");
    check_all(
        &[
            least,
            "1.0e-9223372036854775808",
            "0.1e-9223372036854775807",
        ],
        least,
    );
    let reason = "the power of ten of a number is out of range";
    check_refused("10e9223372036854775807", 0, reason);
    check_refused("[0.1e-9223372036854775808]", 1, reason);
    check_refused("[1,-1e9223372036854775808]", 3, reason);
    check_refused("0e99999999999999999999", 0, reason);
    check_refused(format!("1e-{}", "9".repeat(MANY)), 0, reason);
}

#[test]
fn long_numbers_cost_no_more_than_their_digits() {
    let zeros = "0".repeat(MANY);
    check(&format!("1{zeros}"), &format!("1e{MANY}"));
    check(&format!("0.{zeros}1"), &format!("1e-{}", MANY + 1));
    check(&format!("1.{zeros}"), "1");
    check(&format!("-0.{zeros}"), "0");
    check(&format!("1{zeros}e-{MANY}"), "1");
    check(&format!("1e{zeros}7"), "1e7");
    let digits = "7".repeat(MANY);
    check(&digits, &digits);
}

// Refusals.

#[test]
fn what_is_not_one_value_is_refused() {
    check_refused("", 0, "a value is expected, but the body ends");
    check_refused(" \n", 2, "a value is expected, but the body ends");
    check_refused("[1,", 3, "a value is expected, but the body ends");
    check_refused("1 1", 2, "something follows the value");
    check_refused("{}\0", 2, "something follows the value");
    check_refused("01", 0, "a number starts with a zero");
    check_refused("nul", 0, "a value is expected");
    check_refused("nullx", 4, "something follows the value");
    check_refused("[,]", 1, "a value is expected");
    check_refused("[1,]", 3, "a value is expected");
    check_refused("NaN", 0, "a value is expected");
    check_refused("\u{feff}1", 0, "a value is expected");
    check_refused("\u{a0}1", 0, "a value is expected");
    check_refused("/**/1", 0, "a value is expected");
    check_refused("'a'", 0, "a value is expected");
    let bracket = "a comma or the closing bracket is expected";
    check_refused("[1}", 2, bracket);
    check_refused("[1 2]", 3, bracket);
    check_refused("[1", 2, bracket);
    check_refused("{\"a\":1]", 6, bracket);
}

#[test]
fn what_is_not_a_member_is_refused() {
    let name = "the name of a member is expected";
    check_refused("{", 1, name);
    check_refused("{,}", 1, name);
    check_refused("{a:1}", 1, name);
    check_refused("{\"a\":1,}", 7, name);
    check_refused("{1:1}", 1, name);
    check_refused(
        "{\"a\"}",
        4,
        "a colon is expected after the name of a member",
    );
    check_refused(
        "{\"a\" 1}",
        5,
        "a colon is expected after the name of a member",
    );
    check_refused("{\"a\":}", 5, "a value is expected");
}

#[test]
fn a_second_member_of_a_name_is_refused() {
    let reason = "the object has a member of this name already";
    check_refused(r#"{"a":1,"a":1}"#, 7, reason);
    check_refused(r#"{"a":1,"b":2,"\u0061":3}"#, 13, reason);
    check_refused(r#"{"c":1,"b":2,"b":3,"a":4,"c":5,"c":6}"#, 13, reason);
    check_refused(r#"[{"x":{"":1,"":2}}]"#, 12, reason);
    let count = if cfg!(miri) { 10 } else { 100 };
    let members: String = (100..100 + count)
        .chain(100..100 + count)
        .map(|name| format!("\"{name}\":1,"))
        .collect();
    check_refused(format!("{{{members}\"\":1}}"), 1 + count * 8, reason);
    check(
        r#"{"a":{"a":1},"b":{"a":1}}"#,
        r#"{"a":{"a":1},"b":{"a":1}}"#,
    );
}

#[test]
fn what_is_not_a_string_is_refused() {
    let open = "the string that starts here is not closed";
    check_refused("[\"a", 1, open);
    check_refused("\"\\\"", 0, open);
    check_refused(
        "\"a\nb\"",
        2,
        "a control character in a string is not escaped",
    );
    check_refused(
        "\"\0\"",
        1,
        "a control character in a string is not escaped",
    );
    check_refused(r#""\x41""#, 1, "there is no such escape");
    check_refused("\"\\", 1, "there is no such escape");
    let digits = "four hexadecimal digits are expected after \\u";
    check_refused(r#""\u12""#, 1, digits);
    check_refused(r#""\u+123""#, 1, digits);
    check_refused("\"\\u00", 1, digits);
    check_refused("\"\\u000\u{e9}\"", 1, digits);
    let lone = "a surrogate is not one of a pair";
    check_refused(r#""\ud800""#, 1, lone);
    check_refused(r#""\udc00""#, 1, lone);
    check_refused(r#""a\ud800\ud800""#, 2, lone);
    check_refused(r#""\udc00\ud800""#, 1, lone);
    check_refused(r#""\ud800\u0041""#, 1, lone);
    check_refused(r#""\ud800\n""#, 1, lone);
    check_refused(r#"{"\udfff":1}"#, 2, lone);
    check_refused(b"\"a\xff\"", 2, "the bytes are not UTF-8");
    check_refused(b"\"\xed\xa0\x80\"", 1, "the bytes are not UTF-8");
    check_refused(b"\"\xc0\x80\"", 1, "the bytes are not UTF-8");
}

#[test]
fn what_is_not_a_number_is_refused() {
    for (body, offset) in [
        ("-", 1),
        ("-a", 1),
        ("1.", 2),
        ("1.e1", 2),
        ("1e", 2),
        ("1e+", 3),
    ] {
        check_refused(body, offset, "a digit is expected");
    }
    check_refused("-.5", 1, "a digit is expected");
    check_refused("1e+-1", 3, "a digit is expected");
    check_refused("+1", 0, "a value is expected");
    check_refused(".5", 0, "a value is expected");
    check_refused("-01", 0, "a number starts with a zero");
    check_refused("00.5", 0, "a number starts with a zero");
    check_refused("0x10", 1, "something follows the value");
    check_refused("1.5.5", 3, "something follows the value");
    check_refused("-Infinity", 1, "a digit is expected");
}

#[test]
fn nesting_has_a_limit() {
    let reason = "arrays and objects are nested more than 128 deep";
    assert!(reason.contains(&DEPTH_MAX.to_string()));
    let nested = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    check(&nested, &nested);
    check_refused(format!("[{nested}]"), DEPTH_MAX, reason);
    check_refused("[".repeat(10 * DEPTH_MAX), DEPTH_MAX, reason);
    check_refused("{\"a\":".repeat(10 * DEPTH_MAX), 5 * DEPTH_MAX, reason);
    check_refused("[{\"\":".repeat(10 * DEPTH_MAX), 5 * DEPTH_MAX / 2, reason);
}

#[test]
fn the_error_tells_the_place_and_not_the_body() {
    let error = canonical("{\"secret\":hunter2}").expect_err("the value is no JSON");
    assert_eq!(
        error.to_string(),
        "the JSON body is refused at byte 10: a value is expected"
    );
}

// Properties.

/// A JSON value, apart from how it is spelt.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    /// A number that is not zero and does not end in a zero, and a power of ten.
    Number(i64, i32),
    Zero,
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

fn number() -> impl Strategy<Value = Json> {
    (any::<i64>(), 0..64, -400..400).prop_map(|(digits, shift, power)| match digits >> shift {
        digits if digits % 10 == 0 => Json::Zero,
        digits => Json::Number(digits, if power > 0 { power / 8 } else { power }),
    })
}

fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('a', 'e'),
        2 => proptest::char::range('\0', '\u{7f}'),
        1 => proptest::char::range('\u{e000}', '\u{ffff}'),
        1 => proptest::char::range('\u{10000}', '\u{10ffff}'),
        1 => any::<char>(),
    ];
    vec(character, 0..6).prop_map(String::from_iter)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number(),
        text().prop_map(Json::String),
    ];
    let (depth, size, most) = if cfg!(miri) { (2, 8, 3) } else { (5, 64, 8) };
    leaf.prop_recursive(depth, size, most, move |inner| {
        let most = most as usize;
        prop_oneof![
            vec(inner.clone(), 0..most).prop_map(Json::Array),
            btree_map(text(), inner, 0..most).prop_map(Json::Object),
        ]
    })
}

/// Spells a value in one of the many ways to do it, by what `state` brings (splitmix64).
struct Spelling {
    state: u64,
    out: String,
}

impl Spelling {
    fn of(value: &Json, seed: u64) -> String {
        let mut spelling = Self {
            state: seed,
            out: String::new(),
        };
        spelling.value(value);
        spelling.out
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33;
        usize::try_from(mixed).expect("31 bits fit") % bound
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn space(&mut self) {
        let space = self.one_of(&["", "", "", " ", "\n", "\t", "\r\n  "]);
        self.out.push_str(space);
    }

    fn token(&mut self, token: &str) {
        self.space();
        self.out.push_str(token);
        self.space();
    }

    fn value(&mut self, value: &Json) {
        self.space();
        match value {
            Json::Null => self.token("null"),
            Json::Bool(value) => self.token(&value.to_string()),
            Json::Zero => {
                let zero = self.one_of(&["0", "-0", "0.0", "0e7", "-0.00E-3"]);
                self.token(zero);
            }
            Json::Number(digits, power) => self.number(*digits, i64::from(*power)),
            Json::String(text) => self.string(text),
            Json::Array(elements) => {
                self.token("[");
                for (at, element) in elements.iter().enumerate() {
                    self.token(if at == 0 { "" } else { "," });
                    self.value(element);
                }
                self.token("]");
            }
            Json::Object(members) => self.object(members.iter().collect()),
        }
        self.space();
    }

    fn object(&mut self, mut members: Vec<(&String, &Json)>) {
        for end in (1..members.len()).rev() {
            let other = self.below(end + 1);
            members.swap(end, other);
        }
        self.token("{");
        for (at, (name, member)) in members.into_iter().enumerate() {
            self.token(if at == 0 { "" } else { "," });
            self.string(name);
            self.token(":");
            self.value(member);
        }
        self.token("}");
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let escaped = match character {
                '"' | '\\' | '/' => format!("\\{character}"),
                '\u{8}' => "\\b".into(),
                '\t' => "\\t".into(),
                '\n' => "\\n".into(),
                '\u{c}' => "\\f".into(),
                '\r' => "\\r".into(),
                '\0'..' ' => String::new(),
                _ => character.into(),
            };
            let raw = !matches!(character, '"' | '\\' | '\0'..' ');
            match self.below(3) {
                0 if raw => self.out.push(character),
                1 if !escaped.is_empty() => self.out.push_str(&escaped),
                _ => self.code_units(character),
            }
        }
        self.out.push('"');
    }

    fn code_units(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let upper = self.below(2) == 0;
            let unit = if upper {
                format!("\\u{unit:04X}")
            } else {
                format!("\\u{unit:04x}")
            };
            self.out.push_str(&unit);
        }
    }

    /// Moves the point, appends zeros, and makes up for both in the power of ten.
    fn number(&mut self, number: i64, power: i64) {
        let mut digits = number.unsigned_abs().to_string();
        let mut power = power;
        for _ in 0..self.below(4) {
            digits.push('0');
            power -= 1;
        }
        let fraction = self.below(digits.len() + 3);
        power += i64::try_from(fraction).expect("a few digits");
        let whole = digits.len().saturating_sub(fraction);
        let (whole, fraction) = match whole {
            0 => ("0", format!("{digits:0>fraction$}")),
            _ => (&digits[..whole], digits[whole..].to_owned()),
        };
        let sign = if number < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let mut spelt = format!("{sign}{whole}{point}{fraction}");
        if power != 0 || self.below(3) == 0 {
            let e = self.one_of(&["e", "E"]);
            let sign = if power < 0 {
                "-"
            } else {
                self.one_of(&["", "+"])
            };
            let zeros = self.one_of(&["", "", "0", "000"]);
            spelt = format!("{spelt}{e}{sign}{zeros}{}", power.unsigned_abs());
        }
        self.token(&spelt);
    }
}

/// The leaves of a value: whatever has nothing in it.
fn leaves(value: &mut Json) -> Vec<&mut Json> {
    let is_leaf = match value {
        Json::Array(elements) => elements.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => true,
    };
    match value {
        _ if is_leaf => vec![value],
        Json::Array(elements) => elements.iter_mut().flat_map(leaves).collect(),
        Json::Object(members) => members.values_mut().flat_map(leaves).collect(),
        _ => Vec::new(),
    }
}

/// Without numbers, which `serde_json` keeps as they were spelt.
fn without_numbers(value: Value) -> Value {
    match value {
        Value::Number(_) => Value::Null,
        Value::Array(elements) => elements.into_iter().map(without_numbers).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, without_numbers(member)))
            .collect(),
        other => other,
    }
}

/// The bytes that mean something outside of strings.
const SOUP: &[u8] = br#"[]{}",:\utrue0123456789abcdefABCDEF.+- "#;

proptest! {
    #[test]
    fn every_spelling_has_the_same_form(value in json(), one: u64, other: u64) {
        let (one, other) = (Spelling::of(&value, one), Spelling::of(&value, other));
        let form = canonical(&one);
        prop_assert_eq!(&form, &canonical(&other));
        let form = form.expect("a spelling is JSON");
        prop_assert_eq!(canonical(&form), Ok(form.clone()), "idempotence");
        let read: Value = serde_json::from_str(&one).expect("a spelling is JSON");
        let back: Value = serde_json::from_str(&form).expect("the form is JSON");
        prop_assert_eq!(without_numbers(read), without_numbers(back));
    }

    #[test]
    fn only_the_same_leaf_has_the_same_form(
        value in json(), other in json(), at: proptest::sample::Index, seed: u64,
    ) {
        let mut changed = value.clone();
        let mut leaves = leaves(&mut changed);
        let leaf = at.index(leaves.len());
        *leaves[leaf] = other;
        let one = canonical(Spelling::of(&value, seed)).expect("a spelling is JSON");
        let two = canonical(Spelling::of(&changed, !seed)).expect("a spelling is JSON");
        prop_assert_eq!(one == two, value == changed);
    }

    #[test]
    fn only_the_same_names_have_the_same_form(
        members in btree_map(text(), json(), 1..5), name in text(),
    ) {
        let mut renamed = members.clone();
        let (_, member) = renamed.pop_first().expect("one member or more");
        renamed.insert(name, member);
        let same = members == renamed;
        let one = canonical(Spelling::of(&Json::Object(members), 1)).expect("a spelling is JSON");
        let two = canonical(Spelling::of(&Json::Object(renamed), 2)).expect("a spelling is JSON");
        prop_assert_eq!(one == two, same);
    }

    #[test]
    fn members_come_in_the_order_of_code_units(names in btree_map(text(), Just(Json::Null), 0..9)) {
        let mut sorted: Vec<_> = names.keys().cloned().collect();
        sorted.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
        let expected: Vec<_> = sorted
            .iter()
            .map(|name| format!("{}:null", canonical(serde_json::json!(name).to_string()).unwrap()))
            .collect();
        let form = canonical(Spelling::of(&Json::Object(names), 3));
        prop_assert_eq!(form, Ok(format!("{{{}}}", expected.join(","))));
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them(
        text in vec(any::<char>(), 0..100).prop_map(String::from_iter),
    ) {
        let written = serde_json::to_string(&text).expect("a string is JSON");
        prop_assert_eq!(canonical(Spelling::of(&Json::String(text), 4)), Ok(written));
    }

    #[test]
    fn integers_are_equal_only_if_they_are(one: i128, other: i128, near in -9_i128..9) {
        prop_assert_eq!(canonical(one.to_string()) == canonical(other.to_string()), one == other);
        let near = one.saturating_add(near);
        prop_assert_eq!(canonical(one.to_string()) == canonical(near.to_string()), one == near);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        body: Vec<u8>, soup in vec(select(SOUP), 0..25),
    ) {
        let _ = canonical(body);
        let _ = canonical(soup);
    }

    #[test]
    fn damaged_bodies_are_accepted_only_where_serde_json_does(
        value in json(), seed: u64, at: proptest::sample::Index, byte: u8, cut: bool,
    ) {
        let mut body = Spelling::of(&value, seed).into_bytes();
        let at = at.index(body.len());
        if cut {
            body.remove(at);
        } else {
            body[at] = byte;
        }
        let read = serde_json::from_slice::<Value>(&body);
        match canonical(&body) {
            Ok(form) => {
                let back = serde_json::from_str(&form).expect("the form is JSON");
                prop_assert_eq!(without_numbers(read.expect("it is JSON")), without_numbers(back));
                prop_assert_eq!(canonical(&form), Ok(form), "idempotence");
            }
            Err(error) => {
                let stricter = error.reason.contains("already") || error.reason.contains("power");
                prop_assert!(stricter || read.is_err(), "{}", error);
            }
        }
    }
}
