//! What holds for every value, however it is spelt.

use crate::value::canonical_json::tests::spelling::{AnyJson, Spelling, json, leaves, text};
use crate::value::canonical_json::tests::*;

/// Without numbers, which `serde_json` rounds.
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
        let one = canonical(Spelling::of(&AnyJson::Object(members), 1)).expect("a spelling is JSON");
        let two = canonical(Spelling::of(&AnyJson::Object(renamed), 2)).expect("a spelling is JSON");
        prop_assert_eq!(one == two, same);
    }

    #[test]
    fn members_come_in_the_order_of_code_units(names in btree_map(text(), Just(AnyJson::Null), 0..9)) {
        let mut sorted: Vec<_> = names.keys().cloned().collect();
        sorted.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
        let expected: Vec<_> = sorted
            .iter()
            .map(|name| format!("{}:null", canonical(serde_json::json!(name).to_string()).unwrap()))
            .collect();
        let form = canonical(Spelling::of(&AnyJson::Object(names), 3));
        prop_assert_eq!(form, Ok(format!("{{{}}}", expected.join(","))));
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them(
        text in vec(any::<char>(), 0..100).prop_map(String::from_iter),
    ) {
        let written = serde_json::to_string(&text).expect("a string is JSON");
        prop_assert_eq!(canonical(Spelling::of(&AnyJson::String(text), 4)), Ok(written));
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
                match read {
                    Ok(read) => {
                        let back = serde_json::from_str(&form).expect("the form is JSON");
                        prop_assert_eq!(without_numbers(read), without_numbers(back));
                    }
                    Err(error) => prop_assert!(error.to_string().contains("out of range"), "{}", error),
                }
                prop_assert_eq!(canonical(&form), Ok(form), "idempotence");
            }
            Err(error) => {
                let stricter = error.reason.contains("already") || error.reason.contains("power");
                prop_assert!(stricter || read.is_err(), "{}", error);
            }
        }
    }
}
