use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use crate::value::canonical_json::pass::DEPTH_MAX;
use crate::value::canonical_json::{CanonicalJson, CanonicalJsonError};

mod picks;
mod properties;
mod spelling;
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

/// That a body has this form, and the form itself too.
#[track_caller]
fn check_as(form: &CanonicalJson, body: &str, expected: &str) {
    for (body, what) in [(body, "form"), (expected, "idempotence")] {
        assert_eq!(
            canonical_as(form, body).as_deref(),
            Ok(expected),
            "{what} of {body}"
        );
    }
}

#[track_caller]
fn check(body: &str, expected: &str) {
    check_as(&CanonicalJson::new(), body, expected);
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
