//! Vectors for RFC 9562 and ULID, every setting, and properties of any key.

use std::borrow::Cow;

use proptest::prelude::*;

use crate::value::error::{Error, ErrorKind};
use crate::value::key_rule::refused::{InvalidRule, KeyFault};
use crate::value::key_rule::rule::KeyRule;

/// The examples of RFC 9562, appendix A.
const V4: &str = "919108f7-52d1-4320-9bac-f847db4148a8";
const V7: &str = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";
/// The example of the ULID specification.
const ULID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn fault(rule: &KeyRule, text: &str) -> Option<KeyFault> {
    rule.check(text).err().map(|refused| refused.fault())
}

#[track_caller]
fn takes(rule: &KeyRule, text: &str) {
    assert_eq!(rule.validate(), Ok(()));
    assert_eq!(fault(rule, text), None, "{text}");
}

#[track_caller]
fn refuses(rule: &KeyRule, text: &str, why: KeyFault) {
    assert_eq!(rule.validate(), Ok(()));
    assert_eq!(fault(rule, text), Some(why), "{text}");
}

fn with(text: &str, at: usize, character: char) -> String {
    let mut text: Vec<char> = text.chars().collect();
    text[at] = character;
    text.into_iter().collect()
}

#[test]
fn any_key_will_do_by_default() {
    let rule = KeyRule::default();
    assert_eq!(rule, KeyRule::any());
    for text in ["a", " ", "1234", V4, V7, ULID, "\"\\", &"k".repeat(1024)] {
        takes(&rule, text);
        assert_eq!(rule.canonical(text), text, "each spelling is a key");
    }
}

#[test]
fn uuid_rules_go_by_version() {
    for (rule, v4, v7) in [
        (KeyRule::uuid(), true, true),
        (KeyRule::uuid_v4(), true, false),
        (KeyRule::uuid_v7(), false, true),
    ] {
        for (text, taken) in [(V4, v4), (V7, v7)] {
            for text in [text.to_ascii_lowercase(), text.to_ascii_uppercase()] {
                let why = (!taken).then_some(KeyFault::Form);
                assert_eq!(fault(&rule, &text), why, "{text}");
            }
        }
        for other in "0123568abcdefABCDEF9".chars() {
            refuses(&rule, &with(V4, 14, other), KeyFault::Form);
        }
    }
}

#[test]
fn a_uuid_has_the_variant_of_its_rfc() {
    for character in "0123456789abcdefABCDEF".chars() {
        let text = with(V4, 19, character);
        let why = (!"89abAB".contains(character)).then_some(KeyFault::Form);
        assert_eq!(fault(&KeyRule::uuid(), &text), why, "{text}");
    }
}

#[test]
fn a_uuid_has_36_characters_and_its_hyphens() {
    let rule = KeyRule::uuid();
    let plain = V4.replace('-', "");
    let refused = [
        plain.clone(),
        format!("{{{V4}}}"),
        format!("urn:uuid:{V4}"),
        format!("{V4} "),
        format!(" {V4}"),
        V4[..35].to_owned(),
        format!("{V4}0"),
        format!("{plain}----"),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        "a".to_owned(),
        ULID.to_owned(),
    ];
    for text in refused {
        refuses(&rule, &text, KeyFault::Form);
    }
    for at in 0..V4.len() {
        refuses(&rule, &with(V4, at, 'g'), KeyFault::Form);
        let hyphen = with(V4, at, '-');
        let why = (hyphen != V4).then_some(KeyFault::Form);
        assert_eq!(fault(&rule, &hyphen), why, "{hyphen}");
    }
}

#[test]
fn a_ulid_is_26_characters_of_crockford() {
    let rule = KeyRule::ulid();
    for text in [
        ULID,
        "01arz3ndektsv4rrffq69g5fav",
        "01aRZ3ndEKTsv4RRFFQ69g5faV",
    ] {
        takes(&rule, text);
        assert_eq!(rule.canonical(text), ULID);
    }
    takes(&rule, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    takes(&rule, "00000000000000000000000000");
    for first in "89AZaz".chars() {
        refuses(&rule, &with(ULID, 0, first), KeyFault::Form);
    }
    let digits = "0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ";
    for character in ' '..='~' {
        let text = with(ULID, 12, character);
        let why = (!digits.contains(character)).then_some(KeyFault::Form);
        assert_eq!(fault(&rule, &text), why, "{text}");
    }
    refuses(&rule, &ULID[1..], KeyFault::Form);
    refuses(&rule, &format!("{ULID}0"), KeyFault::Form);
    refuses(&rule, V4, KeyFault::Form);
}

#[test]
fn one_uuid_is_one_key_under_a_uuid_rule() {
    let (lower, upper) = (V7.to_ascii_lowercase(), V7.to_ascii_uppercase());
    for rule in [
        KeyRule::uuid(),
        KeyRule::uuid_v7(),
        KeyRule::uuid().or(KeyRule::ulid()),
        KeyRule::uuid().or(KeyRule::any()),
        KeyRule::any().or(KeyRule::uuid()),
    ] {
        assert_eq!(rule.canonical(&upper), lower.as_str());
        let same = rule.canonical(&lower);
        assert!(matches!(same, Cow::Borrowed(_)), "nothing to change");
    }
    for rule in [KeyRule::any(), KeyRule::uuid_v4(), KeyRule::ulid()] {
        assert_eq!(rule.canonical(&upper), upper.as_str());
    }
}

#[test]
fn a_key_is_printable_and_neither_empty_nor_too_long() {
    let any = KeyRule::any();
    for text in ["\u{e9}", "a\n", "\0", "\u{7f}"] {
        refuses(&any, text, KeyFault::Alphabet);
    }
    let (bytes, min_bytes) = (0, 1);
    refuses(&any, "", KeyFault::TooShort { bytes, min_bytes });
    let (bytes, max_bytes) = (1025, 1024);
    let long = "k".repeat(bytes);
    refuses(&any, &long, KeyFault::TooLong { bytes, max_bytes });
}

#[test]
fn a_maximum_is_lowered_and_never_raised() {
    let (narrow, wide) = (KeyRule::any().max_bytes(2), KeyRule::any().min_bytes(4));
    let rule = narrow.clone().or(wide).at_most(5);
    assert_eq!(
        rule.to_string(),
        "a key of 1 to 2 bytes, or a key of 4 to 5 bytes"
    );
    assert_eq!(narrow.clone().at_most(1024), narrow);
    assert!(KeyRule::uuid().at_most(35).validate().is_err());
}

#[test]
fn a_refusal_is_an_invalid_argument() {
    let error: Error = KeyRule::ulid().check("x").expect_err("no ULID").into();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "the key does not have the required form; send a ULID"
    );
    let error: Error = InvalidRule::EmptyAlphabet.into();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn lengths_are_bounds() {
    let rule = KeyRule::any().min_bytes(3).max_bytes(5);
    for text in ["abc", "abcd", "abcde"] {
        takes(&rule, text);
    }
    let short = KeyFault::TooShort {
        bytes: 2,
        min_bytes: 3,
    };
    refuses(&rule, "ab", short);
    let long = KeyFault::TooLong {
        bytes: 6,
        max_bytes: 5,
    };
    refuses(&rule, "abcdef", long);
}

#[test]
fn an_alphabet_holds_as_sent() {
    let rule = KeyRule::any().alphabet("abc-");
    takes(&rule, "a-b-c");
    refuses(&rule, "A-b-c", KeyFault::Alphabet);
    refuses(&rule, "abcd", KeyFault::Alphabet);
    let lower = KeyRule::uuid().alphabet("0123456789abcdef-");
    takes(&lower, V4);
    refuses(&lower, V7, KeyFault::Alphabet);
}

#[test]
fn entropy_is_that_of_the_characters() {
    let bits = |text: &str, bits: u32| {
        takes(&KeyRule::any().min_entropy_bits(bits), text);
        let over = KeyRule::any().min_entropy_bits(bits + 1);
        refuses(&over, text, KeyFault::LowEntropy { min_bits: bits + 1 });
    };
    bits("a", 0);
    bits(&"a".repeat(255), 0);
    bits("ab", 2);
    bits("1234", 8);
    bits("1111222233334444", 32);
    bits("0123456789abcdef", 64);
    bits("abcdefghijklmnopqrstuvwxyz", 122);
}

#[test]
fn entropy_of_a_form_is_that_of_its_random_digits() {
    let weak = KeyFault::LowEntropy { min_bits: 40 };
    let least = |rule: KeyRule| rule.min_entropy_bits(40);
    takes(&least(KeyRule::uuid()), V4);
    takes(&least(KeyRule::uuid()), V7);
    takes(&least(KeyRule::ulid()), ULID);
    let zero = "00000000-0000-4000-8000-000000000000";
    refuses(&least(KeyRule::uuid()), zero, weak);
    // A time is not random, even with many digits.
    let time = "0123abcd-4567-7000-8000-000000000000";
    refuses(&least(KeyRule::uuid_v7()), time, weak);
    refuses(&least(KeyRule::ulid()), "01ARZ3NDEK0000000000000000", weak);
    // Mixed case does not add characters.
    let mixed = "aAaAaAaA-aAaA-4aAa-aAaA-aAaAaAaAaAaA";
    let any_bits = KeyRule::uuid().min_entropy_bits(1);
    refuses(&any_bits, mixed, KeyFault::LowEntropy { min_bits: 1 });
}

#[test]
fn either_of_two_rules_will_do() {
    let rule = KeyRule::uuid().or(KeyRule::ulid());
    for text in [V4, V7, ULID] {
        takes(&rule, text);
    }
    refuses(&rule, "a", KeyFault::Form);
    let refused = rule.check("a").expect_err("neither");
    assert_eq!(
        refused.wanted(),
        "a UUID of version 4 or 7, with its hyphens, or a ULID"
    );
    assert_eq!(rule.to_string(), refused.wanted());
    // A setting after `or` applies to both choices, a setting before it to its own.
    let rule = KeyRule::uuid().or(KeyRule::any().min_bytes(40));
    takes(&rule, V4);
    let short = KeyFault::TooShort {
        bytes: 1,
        min_bytes: 40,
    };
    refuses(&rule, "a", short);
    let rule = KeyRule::uuid().or(KeyRule::any()).min_entropy_bits(20);
    refuses(&rule, "1234", KeyFault::LowEntropy { min_bits: 20 });
}

#[test]
fn a_refusal_says_what_to_send() {
    let said = |rule: KeyRule, text: &str| rule.check(text).expect_err(text).to_string();
    assert_eq!(
        said(KeyRule::uuid_v4(), "x"),
        "the key does not have the required form; send a UUID of version 4, with its hyphens"
    );
    assert_eq!(
        said(KeyRule::any().min_bytes(8).max_bytes(8), "x"),
        "the key has 1 bytes, fewer than 8; send a key of 8 bytes"
    );
    assert_eq!(
        said(KeyRule::any().max_bytes(1).alphabet("cab"), "xx"),
        "the key has 2 bytes, more than 1; send a key of 1 bytes out of the characters abc"
    );
    assert_eq!(
        said(KeyRule::any().min_entropy_bits(64), "xx"),
        "the key is too easy to guess: it has less than 64 bits of entropy; send a random key of 1 to 1024 bytes with at \
         least 64 bits of entropy"
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    use InvalidRule::{
        EmptyAlphabet, Entropy, ForeignCharacter, FormAlphabet, FormBytes, MaxBytes, MinOverMax,
    };
    let over = |min_bytes, max_bytes| MinOverMax {
        min_bytes,
        max_bytes,
    };
    let any = KeyRule::any;
    let table = [
        (any().min_bytes(6).max_bytes(5), over(6, 5)),
        (any().min_bytes(1025), over(1025, 1024)),
        (any().max_bytes(0), over(1, 0)),
        (any().min_bytes(0).max_bytes(0), over(0, 0)),
        (any().max_bytes(1025), MaxBytes { max_bytes: 1025 }),
        (any().alphabet(""), EmptyAlphabet),
        (any().alphabet("ab\n"), ForeignCharacter),
        (any().alphabet("\u{e9}"), ForeignCharacter),
        (KeyRule::uuid().min_bytes(37), FormBytes { form_bytes: 36 }),
        (KeyRule::uuid().max_bytes(35), FormBytes { form_bytes: 36 }),
        (KeyRule::ulid().max_bytes(25), FormBytes { form_bytes: 26 }),
        (KeyRule::uuid().alphabet("0123456789abcdef"), FormAlphabet),
        (KeyRule::uuid_v7().alphabet("-489abc"), FormAlphabet),
        (KeyRule::uuid_v4().alphabet("-0123456"), FormAlphabet),
        (KeyRule::ulid().alphabet("89ABC"), FormAlphabet),
        (
            any().max_bytes(8).min_entropy_bits(25),
            Entropy { min_bits: 25 },
        ),
        (
            any().alphabet("01").max_bytes(64).min_entropy_bits(65),
            Entropy { min_bits: 65 },
        ),
        (
            KeyRule::uuid().min_entropy_bits(123),
            Entropy { min_bits: 123 },
        ),
        (
            KeyRule::uuid_v7().min_entropy_bits(75),
            Entropy { min_bits: 75 },
        ),
        (
            KeyRule::ulid().min_entropy_bits(65),
            Entropy { min_bits: 65 },
        ),
        (any().or(any().max_bytes(0)), over(1, 0)),
    ];
    for (rule, refused) in table {
        assert_eq!(rule.validate(), Err(refused), "{rule:?}");
        assert!(refused.to_string().contains(": "), "{refused}");
    }
    for rule in [
        any().min_bytes(1024).max_bytes(1024),
        any().min_bytes(0),
        any().alphabet(" "),
        any().max_bytes(8).min_entropy_bits(24),
        any().alphabet("01").max_bytes(64).min_entropy_bits(64),
        KeyRule::uuid().min_entropy_bits(122),
        KeyRule::uuid_v7().min_entropy_bits(74),
        KeyRule::ulid().min_entropy_bits(64),
        KeyRule::uuid().min_bytes(36).max_bytes(36),
    ] {
        assert_eq!(rule.validate(), Ok(()), "{rule:?}");
    }
}

#[test]
fn no_refusal_shows_a_key() {
    let secret = "Zq7Zq7Zq7";
    for rule in [
        KeyRule::uuid(),
        KeyRule::ulid(),
        KeyRule::any().min_bytes(10),
        KeyRule::any().max_bytes(8),
        KeyRule::any().alphabet("abc"),
        KeyRule::any().min_entropy_bits(64),
    ] {
        let refused = rule.check(secret).expect_err("it meets none");
        let text = format!("{refused} {refused:?}");
        assert!(!text.contains("Zq7"), "{text}");
    }
}

/// A UUID of this version from 122 random bits.
fn uuid(bits: u128, version: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | version << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

fn ulid(bits: u128) -> String {
    let digits = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |place: u32| digits[usize::try_from((bits >> (5 * place)) & 31).expect("5 bits")];
    (0..26)
        .rev()
        .map(|place| char::from(digit(place)))
        .collect()
}

/// Writes each letter in the case that its bit gives.
fn cased(text: &str, upper: u64) -> String {
    text.chars()
        .enumerate()
        .map(|(at, letter)| match (upper >> at) & 1 {
            1 => letter.to_ascii_uppercase(),
            _ => letter.to_ascii_lowercase(),
        })
        .collect()
}

fn any_rule() -> impl Strategy<Value = KeyRule> {
    let one = (
        0..5_u8,
        proptest::option::of(0..40_usize),
        proptest::option::of(0..300_usize),
        proptest::option::of("[ -~]{0,20}"),
        proptest::option::of(0..140_u32),
    );
    let one = one.prop_map(|(form, min, max, alphabet, bits)| {
        let mut rule = match form {
            0 => KeyRule::uuid(),
            1 => KeyRule::uuid_v4(),
            2 => KeyRule::uuid_v7(),
            3 => KeyRule::ulid(),
            _ => KeyRule::any(),
        };
        rule = min.into_iter().fold(rule, KeyRule::min_bytes);
        rule = max.into_iter().fold(rule, KeyRule::max_bytes);
        rule = alphabet.iter().fold(rule, |rule, all| rule.alphabet(all));
        bits.into_iter().fold(rule, KeyRule::min_entropy_bits)
    });
    proptest::collection::vec(one, 1..4).prop_map(|rules| {
        let joined = rules.into_iter().reduce(KeyRule::or);
        joined.expect("at least one")
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,60}",
        (any::<u128>(), prop_oneof![Just(4), Just(7), 0..16_u128])
            .prop_map(|(bits, version)| uuid(bits, version)),
        any::<u128>().prop_map(ulid),
    ]
}

/// The least and the most that the estimate gives to 100,000 random keys of a form.
fn estimates(rule: &KeyRule, spell: impl Fn(u128) -> String) -> (f64, f64) {
    let mut state = 1_u64;
    let mut half = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(mixed ^ mixed >> 31)
    };
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    for _ in 0..100_000 {
        let text = spell(half() << 64 | half());
        assert_eq!(rule.check(&text), Ok(()));
        let bits = rule.choices[0].form.entropy_bits(&text);
        (least, most) = (least.min(bits), most.max(bits));
    }
    (least, most)
}

#[test]
fn random_keys_have_the_entropy_that_is_documented() {
    let v4 = estimates(&KeyRule::uuid_v4(), |bits| uuid(bits, 4));
    let v7 = estimates(&KeyRule::uuid_v7(), |bits| uuid(bits, 7));
    let ulid = estimates(&KeyRule::ulid(), ulid);
    let whole = [v4, v7, ulid].map(|(least, most)| [least.floor(), most.ceil()]);
    assert_eq!(whole, [[84.0, 122.0], [44.0, 74.0], [40.0, 64.0]]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_uuid_in_any_case_is_one_key(bits: u128, upper: u64, v7: bool) {
        let lower = uuid(bits, if v7 { 7 } else { 4 });
        let sent = cased(&lower, upper);
        let rule = if v7 { KeyRule::uuid_v7() } else { KeyRule::uuid_v4() };
        prop_assert_eq!(rule.check(&sent), Ok(()));
        prop_assert_eq!(rule.canonical(&sent), lower.clone());
        prop_assert_eq!(KeyRule::uuid().canonical(&sent), lower);
        prop_assert_eq!(KeyRule::any().canonical(&sent), sent.as_str());
    }

    #[test]
    fn a_ulid_in_any_case_is_one_key(bits: u128, upper: u64) {
        let canonical = ulid(bits);
        let sent = cased(&canonical, upper);
        prop_assert_eq!(KeyRule::ulid().check(&sent), Ok(()));
        prop_assert_eq!(KeyRule::ulid().canonical(&sent), canonical);
    }

    #[test]
    fn case_decides_nothing_about_a_uuid(bits: u128, upper: u64, least in 0..123_u32) {
        let lower = uuid(bits, 4);
        let rule = KeyRule::uuid().min_entropy_bits(least);
        prop_assert_eq!(rule.check(&lower), rule.check(cased(&lower, upper)));
    }

    #[test]
    fn or_takes_what_either_takes(one in any_rule(), other in any_rule(), text in any_key()) {
        let either = one.check(&text).is_ok() || other.check(&text).is_ok();
        let joined = one.clone().or(other.clone());
        prop_assert_eq!(joined.check(&text).is_ok(), either);
        let valid = one.validate().is_ok() && other.validate().is_ok();
        prop_assert_eq!(joined.validate().is_ok(), valid);
    }

    #[test]
    fn a_canonical_key_stays_as_it_is(rule in any_rule(), text in any_key()) {
        let once = rule.canonical(&text).into_owned();
        prop_assert!(once.eq_ignore_ascii_case(&text));
        prop_assert_eq!(rule.canonical(&once), once.as_str());
    }

    #[test]
    fn narrowing_never_lets_more_in(rule in any_rule(), text in any_key(), least in 0..200_u32, bytes in 0..60_usize) {
        let free = KeyRule::any();
        prop_assert_eq!(free.check(&text), Ok(()));
        let narrowed = free.min_entropy_bits(least).min_bytes(bytes);
        if narrowed.check(&text).is_ok() {
            prop_assert!(text.len() >= bytes);
        }
        if let Err(refused) = rule.check(&text) {
            prop_assert_eq!(refused.wanted(), rule.to_string());
        }
    }
}
