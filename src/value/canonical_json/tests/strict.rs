//! The form of RFC 8785, number by number.

use crate::value::canonical_json::tests::spelling::{Spelling, json};
use crate::value::canonical_json::tests::*;
use crate::value::json;

fn strict(body: impl AsRef<[u8]>) -> Result<String, CanonicalJsonError> {
    canonical_as(&CanonicalJson::new().strict_rfc8785(), body)
}

#[track_caller]
fn check(body: &str, expected: &str) {
    check_as(&CanonicalJson::new().strict_rfc8785(), body, expected);
}

#[track_caller]
fn check_all(bodies: &[&str], expected: &str) {
    for body in bodies {
        check(body, expected);
    }
}

#[track_caller]
fn check_beyond(body: &str, offset: usize) {
    let error = strict(body).expect_err("it is no f64");
    let reason = "a number is larger than any f64";
    assert_eq!((error.offset, error.reason), (offset, reason));
}

#[test]
fn the_numbers_of_appendix_b() {
    let samples = [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ];
    for (bits, expected) in samples {
        let value = f64::from_bits(bits);
        check(&format!("{value}"), expected);
        check(&format!("{value:e}"), expected);
        // More digits than any f64 has, all of them its own.
        check(&format!("{value:.1100}"), expected);
        check(&format!("{value:.800e}"), expected);
    }
    // Its other two rows, infinity and NaN, cannot be spelt but as numbers that are too large.
    check_beyond("1.7976931348623159e308", 0);
    assert!(strict("NaN").is_err() && strict("Infinity").is_err());
}

#[test]
fn the_example_of_section_3_2_2() {
    let body = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"#,
        r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        "\"string\":\"\u{20ac}",
        r#"$\u000f\nA'B\"\\\\\"/"}"#,
    );
    check(body, expected);
}

#[test]
fn the_example_of_section_3_2_3() {
    let body = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let expected = concat!(
        r#"{"\r":"Carriage Return","1":"One","#,
        "\"\u{80}\":\"Control\",",
        "\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",",
        "\"\u{20ac}\":\"Euro Sign\",",
        "\"\u{1f600}\":\"Emoji: Grinning Face\",",
        "\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
    );
    check(body, expected);
}

#[test]
fn numbers_are_laid_out_as_ecmascript_does() {
    check_all(&["0", "-0", "0.00", "-0e5", "0E-7"], "0");
    check_all(&["1", "1.0", "10e-1", "0.1e1"], "1");
    check_all(&["100", "1e2", "1.00E+2", "1000e-1"], "100");
    check_all(&["-1.5", "-15e-1", "-0.150e1"], "-1.5");
    // Up to 21 digits before the point, then a power.
    check("1e20", "100000000000000000000");
    check("123456789012345678901", "123456789012345680000");
    check("1e21", "1e+21");
    check("1000000000000000000000", "1e+21");
    check("-12e20", "-1.2e+21");
    check("12345678901234567890123", "1.2345678901234568e+22");
    check("1e100", "1e+100");
    // Up to six zeros behind the point, the one before it counted, then a power.
    check("0.1", "0.1");
    check("1e-6", "0.000001");
    check("-1.5e-6", "-0.0000015");
    check("123e-8", "0.00000123");
    check("1e-7", "1e-7");
    check("0.00000012", "1.2e-7");
    check("-1.25e-7", "-1.25e-7");
    // Digits on both sides of the point.
    check("12345.678e0", "12345.678");
    check("1234567890.1234567", "1234567890.1234567");
    check("0.30000000000000004", "0.30000000000000004");
    check("4.35", "4.35");
    check("99999999999999.99", "99999999999999.98");
}

#[test]
fn numbers_round_to_the_nearest_f64_and_from_half_way_to_the_even_one() {
    check("9007199254740993", "9007199254740992");
    check("9007199254740995", "9007199254740996");
    let zeros = "0".repeat(MANY);
    check(&format!("9007199254740993.{zeros}"), "9007199254740992");
    check(&format!("9007199254740993.{zeros}1"), "9007199254740994");
    check(
        &format!("9007199254740992.{}", "9".repeat(MANY)),
        "9007199254740992",
    );
    check("0.1000000000000000055511151231257827", "0.1");
    // The ends: half of the smallest is 2.47032822920623272088...e-324.
    check("2.4703282292062327e-324", "0");
    check("-2.4703282292062327e-324", "0");
    check("2.4703282292062328e-324", "5e-324");
    check("1e-400", "0");
    check("1.7976931348623158e308", "1.7976931348623157e+308");
    check_beyond("[1,1.7976931348623159e308]", 3);
    check_beyond("-1e309", 0);
    check_beyond("1e400", 0);
}

// The last row of Appendix B failed at first: of two decimals that are as near, Rust writes the upper
// one where it may choose how many digits there are.
#[test]
fn of_two_decimals_that_are_as_near_the_even_one_is_written() {
    check("1125899906842624.25", "1125899906842624.2");
    check("1125899906842624.75", "1125899906842624.8");
    check("-1125899906842625.25", "-1125899906842625.2");
    // Both would be as short, and the one that is nearer reads as the f64 below: 2 to the power of -44.
    check(&format!("{:.60}", 2_f64.powi(-44)), "5.684341886080802e-14");
}

#[test]
fn a_power_of_ten_is_nothing_without_its_digits() {
    let zeros = "0".repeat(MANY);
    check(&format!("0.{zeros}1e{}", MANY + 1), "1");
    check(&format!("12{zeros}e-{MANY}"), "12");
    check(&format!("-0.{zeros}e{MANY}"), "0");
    check_beyond(&format!("1{zeros}e200"), 0);
    check(&format!("0.{zeros}1e-200"), "0");
    // The exact form refuses powers beyond an i64; here they are a zero or too large.
    check_all(&["0e99999999999999999999", "7e-99999999999999999999"], "0");
    check_beyond("{\"a\":1e99999999999999999999}", 5);
    let nines = "9".repeat(MANY);
    check(&format!("1e-{nines}"), "0");
    check(&format!("0e{nines}"), "0");
    check_beyond(&format!("1e{nines}"), 0);
}

/// What ECMAScript makes of a number that is no power of two, by another way: the least precision
/// that reads as it, and that many decimals of it.
fn model(value: f64) -> String {
    let reads = |precision: &usize| format!("{value:.precision$e}").parse() == Ok(value);
    let precision = (0..17).find(reads).expect("17 digits are enough");
    let spelt = format!("{value:.precision$e}");
    let (_, power) = spelt.split_once('e').expect("it has a power");
    let power: isize = power.parse().expect("it is a number");
    match (value.abs(), precision.checked_add_signed(-power)) {
        (0.0, _) => "0".to_owned(),
        (1e-6..1e21, Some(decimals)) => format!("{value:.decimals$}"),
        (1e-6..1e21, None) => format!("{value}"),
        (1e21.., _) => spelt.replace('e', "e+"),
        _ => spelt,
    }
}

/// Equal, with numbers as f64s.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let alike = |(name, one)| other.get(name).is_some_and(|other| alike(one, other));
            one.len() == other.len() && one.iter().all(alike)
        }
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn any_f64_is_written_as_the_model_does(bits: u64) {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            let form = strict(format!("{value:e}"));
            prop_assert_eq!(form.as_deref(), Ok(&*model(value)));
            prop_assert_eq!(strict(format!("{value}")), form);
        }
    }

    #[test]
    fn any_digits_are_written_as_the_model_does(
        digits: i64, shift in 0..64_u32, power in -30..30_i32,
    ) {
        let digits = digits >> shift;
        let spelt = format!("{digits}e{power}");
        let value: f64 = spelt.parse().expect("a number");
        prop_assert_eq!(strict(&spelt), Ok(model(value)));
    }

    #[test]
    fn a_tie_goes_to_the_even_digit(whole in 1_u64 << 50..1 << 51, sign in select(vec!["", "-"])) {
        for (fraction, even) in [("25", "2"), ("75", "8")] {
            let form = strict(format!("{sign}{whole}.{fraction}"));
            prop_assert_eq!(form, Ok(format!("{sign}{whole}.{even}")));
        }
    }

    #[test]
    fn powers_of_two_read_as_themselves(power in -1074..1024_i32) {
        let value = 2_f64.powi(power);
        let form = strict(format!("{value}")).expect("it is an f64");
        prop_assert_eq!(form.parse(), Ok(value));
        let digits = |text: &str| {
            let (digits, _) = text.split_once('e').unwrap_or((text, ""));
            digits.replace('.', "").trim_matches('0').len()
        };
        prop_assert_eq!(digits(&form), digits(&format!("{value:e}")));
    }

    #[test]
    fn every_spelling_has_the_same_strict_form(value in json(), one: u64, other: u64) {
        let (one, other) = (Spelling::of(&value, one), Spelling::of(&value, other));
        let form = strict(&one);
        let again = strict(&other);
        prop_assert_eq!(form.as_ref().ok(), again.as_ref().ok());
        let Ok(form) = form else { return Ok(()) };
        prop_assert_eq!(strict(&form), Ok(form.clone()), "idempotence");
        // `serde_json` alone would round some of them twice.
        let read: Value = json::read(one.as_bytes()).expect("a spelling is JSON");
        let back: Value = json::read(form.as_bytes()).expect("the form is JSON");
        prop_assert!(alike(&read, &back), "{} and {}", read, back);
    }
}
