//! One spelling per JSON body, and which of its members count.

use hapax::{CanonicalJson, ErrorKind, Policy, Store};

#[track_caller]
fn check(form: &CanonicalJson, body: &str, expected: &str) {
    let written = form.canonicalize(body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), expected, "{body}");
}

fn only(pointers: &[&str]) -> CanonicalJson {
    CanonicalJson::new().only(pointers).unwrap()
}

fn without(pointers: &[&str]) -> CanonicalJson {
    CanonicalJson::new().without(pointers).unwrap()
}

const ORDER: &str = r#"{
    "to": {"name": "al", "zip": "1"},
    "items": [{"sku": "a", "count": 2.0}, {"count": 1, "note": "x"}, {"sku": "b"}, {"note": "y"}],
    "sent_at": 12
}"#;

#[test]
fn exact_numbers_are_the_default_and_blur_only_where_rfc_8785_is_asked_for() {
    let body = r#"{"b":9007199254740993,"a":[1200,1.50,1e21,-0.0]}"#;
    let exact = r#"{"a":[12e2,15e-1,1e21,0],"b":9007199254740993}"#;
    check(&CanonicalJson::new(), body, exact);
    check(&CanonicalJson::default(), body, exact);
    let strict = CanonicalJson::new().strict_rfc8785();
    let blurred = r#"{"a":[1200,1.5,1e+21,0],"b":9007199254740992}"#;
    check(&strict, body, blurred);
    check(&CanonicalJson::new(), "1e400", "1e400");
    let error = strict.canonicalize(b"[1,1e400]").unwrap_err();
    assert_eq!(error.offset(), 3);
    assert_eq!(
        error.to_string(),
        "the JSON body is refused at byte 3: a number is larger than any f64"
    );
}

#[test]
fn only_keeps_what_it_points_at_and_the_objects_around_it() {
    check(&only(&["/to/name"]), ORDER, r#"{"to":{"name":"al"}}"#);
    check(
        &only(&["/sent_at", "/to"]),
        ORDER,
        r#"{"sent_at":12,"to":{"name":"al","zip":"1"}}"#,
    );
    let again = only(&["/sent_at"]).only(["/to/zip"]).unwrap();
    check(&again, ORDER, r#"{"sent_at":12,"to":{"zip":"1"}}"#);
    // A pointer can lead into a picked value.
    check(
        &only(&["/to", "/to/name"]),
        r#"{"to":{"a":1}}"#,
        r#"{"to":{"a":1}}"#,
    );
    check(&only(&[""]), r#"{"b":1,"a":[]}"#, r#"{"a":[],"b":1}"#);
}

#[test]
fn what_is_not_there_is_absent() {
    let form = only(&["/a/b"]);
    for body in [
        "{}",
        r#"{"a":5}"#,
        r#"{"a":{}}"#,
        r#"{"a":{"c":1}}"#,
        r#"{"a":[{"b":1}]}"#,
    ] {
        check(&form, body, "{}");
    }
    check(&form, r#"{"a":{"b":null}}"#, r#"{"a":{"b":null}}"#);
    check(&form, "[1]", "[]");
    check(&form, "17", "null");
    check(&without(&["/a/b"]), "17", "17");
    check(&without(&["/a/b"]), r#"{"a":{"b":1}}"#, r#"{"a":{}}"#);
    for (body, nothing) in [("{\"a\":1}", "{}"), ("[[1]]", "[]"), ("\"a\"", "null")] {
        check(&without(&[""]), body, nothing);
    }
}

#[test]
fn without_leaves_out_also_what_only_picks() {
    check(
        &without(&["/sent_at", "/items", "/to/zip", "/none/such"]),
        ORDER,
        r#"{"to":{"name":"al"}}"#,
    );
    let form = only(&["/to"]).without(["/to/zip"]).unwrap();
    check(&form, ORDER, r#"{"to":{"name":"al"}}"#);
    check(&form, r#"{"to":{"zip":1}}"#, r#"{"to":{}}"#);
    let form = only(&["/to/name"]).without(["/to"]).unwrap();
    check(&form, ORDER, "{}");
    let everything = CanonicalJson::new().without::<&str>([]).unwrap();
    check(&everything, "[1, 2]", "[1,2]");
}

#[test]
fn elements_keep_their_index() {
    let body = r#"[11,12,13,14]"#;
    check(&only(&["/1"]), body, "[null,12]");
    check(&only(&["/3", "/0"]), body, "[11,null,null,14]");
    check(
        &only(&["/4", "/01", "/-", "/+1", "/ 1", "/x", "/"]),
        body,
        "[]",
    );
    check(&without(&["/0"]), body, "[null,12,13,14]");
    check(&without(&["/2", "/3"]), body, "[11,12]");
    check(
        &without(&["/99999999999999999999999"]),
        body,
        "[11,12,13,14]",
    );
    // A picked null is not a gap.
    check(&only(&["/0"]), "[null,1]", "[null]");
    check(&only(&["/0"]), "[]", "[]");
    // A number names a member as well.
    check(
        &only(&["/a/1"]),
        r#"{"a":{"0":1,"1":2}}"#,
        r#"{"a":{"1":2}}"#,
    );
    check(
        &only(&["/a/01"]),
        r#"{"a":{"01":2,"1":3}}"#,
        r#"{"a":{"01":2}}"#,
    );
}

#[test]
fn a_star_is_every_member_and_every_element() {
    check(
        &only(&["/items/*/sku"]),
        ORDER,
        r#"{"items":[{"sku":"a"},null,{"sku":"b"}]}"#,
    );
    check(
        &without(&["/items/*/note", "/to/*"]),
        ORDER,
        r#"{"items":[{"count":2,"sku":"a"},{"count":1},{"sku":"b"},{}],"sent_at":12,"to":{}}"#,
    );
    check(&only(&["/*/name"]), ORDER, r#"{"to":{"name":"al"}}"#);
    let form = only(&["/*/*/count"]).without(["/*/0"]).unwrap();
    check(&form, ORDER, r#"{"items":[null,{"count":1}]}"#);
    // A `*` is a whole token, or it is part of a name.
    check(&only(&["/a*"]), r#"{"a*":1,"ab":2}"#, r#"{"a*":1}"#);
    check(&only(&["/*"]), r#"{"*":1,"b":2}"#, r#"{"*":1,"b":2}"#);
}

#[test]
fn names_are_those_that_escapes_mean() {
    let body = r#"{"a/b":1,"m~n":2,"~1":3,"":{"":4},"\u00e9\"":5,"c":6}"#;
    check(&only(&["/a~1b"]), body, r#"{"a/b":1}"#);
    check(&only(&["/m~0n"]), body, r#"{"m~n":2}"#);
    check(&only(&["/~01"]), body, r#"{"~1":3}"#);
    check(&only(&["//"]), body, r#"{"":{"":4}}"#);
    check(&only(&["/\u{e9}\""]), body, "{\"\u{e9}\\\"\":5}");
    check(&only(&["/c"]), r#"{"\u0063":6}"#, r#"{"c":6}"#);
}

#[test]
fn an_invalid_pointer_is_refused_where_it_is_given() {
    for pointer in ["a", "a/b", "#/a", " /a", "/~", "/a~2b", "/a/~", "/~~0"] {
        for refused in [
            CanonicalJson::new().only(["/a", pointer]),
            CanonicalJson::new().without([pointer]),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(
                error.to_string().contains(&format!("{pointer:?}")),
                "{error}"
            );
        }
    }
    let error = CanonicalJson::new().only::<&str>([]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn what_does_not_count_is_checked_all_the_same() {
    let deep = "[".repeat(128);
    let refused = [
        r#"{"x":1,"x":2}"#,
        r#"[{"x":1,"y":2,"x":3}]"#,
        r#""\ud800""#,
        "[1,]",
        "nul",
        "01",
        "1e99999999999999999999",
        &deep,
    ];
    let forms = [
        only(&["/kept"]),
        without(&["/other"]),
        only(&["/kept", "/other/z"]),
        without(&[""]),
    ];
    for (form, refused) in forms
        .iter()
        .flat_map(|form| refused.map(|body| (form, body)))
    {
        for form in [form.clone(), form.clone().strict_rfc8785()] {
            let body = format!(r#"{{"kept":1,"other":{refused}}}"#);
            let error = form.canonicalize(body.as_bytes()).unwrap_err();
            assert!(error.offset() >= 18, "{body}: {error}");
            let body = format!(r#"{{"other":1,"kept":1}} {refused}"#);
            assert_eq!(form.canonicalize(body.as_bytes()).unwrap_err().offset(), 21);
        }
    }
    // The same name twice, where only one of the two values is parsed.
    let body = br#"{"other":1,"kept":2,"other":3}"#;
    for form in &forms {
        assert_eq!(form.canonicalize(body).unwrap_err().offset(), 20);
    }
    let error = forms[1].canonicalize(b"{\"other\":\"\xff\"}").unwrap_err();
    assert_eq!(error.offset(), 10);
    let beyond = forms[1].clone().strict_rfc8785();
    assert!(beyond.canonicalize(br#"{"other":1e400}"#).is_err());
}

#[test]
fn fingerprints_compare_what_counts() {
    let store = Store::in_memory().open().unwrap();
    let pay = store.namespace("pay", Policy::at_least_once()).unwrap();
    let form = without(&["/sent_at"]).strict_rfc8785();
    let print = |body: &str| pay.fingerprint(1).json_with("body", body, &form).build();
    let first = print(r#"{"amount":9007199254740992,"sent_at":1}"#).unwrap();
    for body in [
        r#"{"sent_at":2,"amount":9007199254740992.0}"#,
        r#"{"amount":9007199254740993}"#,
    ] {
        assert_eq!(print(body).unwrap(), first, "{body}");
    }
    assert_ne!(print(r#"{"amount":9007199254740994}"#).unwrap(), first);
    assert_ne!(
        print(r#"{"amount":9007199254740992,"to":1}"#).unwrap(),
        first
    );
    // Both modes digest the bytes that `canonicalize` writes.
    let bytes = form
        .canonicalize(br#"{"amount":9007199254740992}"#)
        .unwrap();
    let part = pay.fingerprint(1).part("body", bytes).build().unwrap();
    assert_eq!(part, first);
    let body = r#"{"b":1.50,"a":9007199254740993}"#;
    let plain = pay.fingerprint(1).json("body", body).build().unwrap();
    let with = pay
        .fingerprint(1)
        .json_with("body", body, &CanonicalJson::new());
    assert_eq!(with.build().unwrap(), plain);
    let exact = r#"{"a":9007199254740993,"b":15e-1}"#;
    assert_eq!(
        pay.fingerprint(1).part("body", exact).build().unwrap(),
        plain
    );

    for refused in [r#"{"amount":1e400}"#, r#"{"sent_at":1,"sent_at":2}"#] {
        let error = print(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{refused}: {error}");
    }
}
