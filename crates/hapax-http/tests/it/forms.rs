//! Bodies and their types: which of them make the same request.

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use hapax_http::{IdempotencyLayer, RequestFingerprint};
use proptest::prelude::*;

use crate::rig::{self, Call, at_least_once};

const FORM: &str = "application/x-www-form-urlencoded";

/// A call with a body and its type.
fn body(content_type: Option<&str>, body: impl Into<Bytes>) -> Call {
    let call = rig::post("/pay").body(body.into());
    match content_type {
        Some(told) => call.header("content-type", told),
        None => call,
    }
}

/// The labels that differ between two calls under one key; empty if the second is a replay.
async fn differing(rules: RequestFingerprint, first: Call, second: Call) -> Vec<String> {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .fingerprint(rules);
    let app = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(layer);
    assert_eq!(first.key("k").send(&app).await.text(), "paid");
    let second = second.key("k").send(&app).await;
    if second.is_replay() {
        return Vec::new();
    }
    assert_eq!(second.code(), "mismatch");
    serde_json::from_value(second.problem("differs")).unwrap()
}

async fn by_default(first: Call, second: Call) -> Vec<String> {
    differing(RequestFingerprint::new(), first, second).await
}

/// Whether the same bytes without their `Content-Type` were the same request depended on their spelling: `{"a":1}` was,
/// `{"a": 1}` was not. Now the type counts whatever the spelling, and is the part that differs.
#[tokio::test]
async fn the_type_of_a_body_counts_whatever_its_spelling() {
    let groups = [
        &[None][..],
        &[
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/json;charset=\"UTF-8\""),
            Some("application/json;"),
        ],
        &[Some("application/json; charset=iso-8859-1")],
        &[
            Some("application/vnd.api+json"),
            Some("application/vnd.api+json; charset=utf-8"),
        ],
        &[Some("application/vnd.api+json; ext=atomic")],
        &[Some("text/json")],
        &[Some("text/plain"), Some("text/plain; charset=utf-8")],
        &[Some("text/plain; charset=utf-16")],
        &[
            Some(FORM),
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
        ],
        &[Some("application/octet-stream")],
        &[Some("json")],
    ];
    let all = groups.iter().enumerate().flat_map(|(at, group)| {
        let group = group.iter();
        group.map(move |told| (at, *told))
    });
    for (one, first) in all.clone() {
        for (other, second) in all.clone() {
            for spelling in [r#"{"a":1}"#, r#"{"a": 1}"#] {
                let differs = by_default(body(first, spelling), body(second, spelling)).await;
                if one == other {
                    assert!(differs.is_empty(), "{first:?} {second:?} {differs:?}");
                } else {
                    let names_it = differs.contains(&"content-type".to_owned());
                    assert!(names_it, "{first:?} {second:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn json_has_one_meaning_under_each_type_of_json_and_none_under_others() {
    for (told, is_json) in [
        (Some("application/json"), true),
        (Some("application/json; charset=utf-8"), true),
        (Some("application/merge-patch+json"), true),
        (Some("text/json"), true),
        (Some("application/jsonp"), false),
        (Some("text/plain"), false),
        (Some("json"), false),
        (None, false),
    ] {
        let differs = by_default(body(told, r#"{"a":1}"#), body(told, r#"{ "a": 1.0 }"#)).await;
        assert_eq!(differs.is_empty(), is_json, "{told:?}");
        // A body that claims to be JSON and is not is compared byte for byte.
        assert!(
            by_default(body(told, "{not"), body(told, "{not"))
                .await
                .is_empty()
        );
        assert_eq!(
            by_default(body(told, "{not"), body(told, "{ not")).await,
            ["body"]
        );
    }
    // So are bytes that an inner layer has to unpack first.
    let packed = |text: &'static str| {
        body(Some("application/json"), text).header("content-encoding", "gzip")
    };
    assert_eq!(
        by_default(packed(r#"{"a":1}"#), packed(r#"{"a": 1}"#)).await,
        ["body"]
    );
}

#[tokio::test]
async fn the_type_counts_where_bytes_do_and_not_without_a_body() {
    let (json, text) = (Some("application/json"), Some("text/plain"));
    let as_bytes = || RequestFingerprint::new().body_as_bytes();
    let differs = differing(as_bytes(), body(json, "{}"), body(text, "{}")).await;
    assert_eq!(differs, ["content-type"]);
    let spelled = body(Some("Application/JSON; charset=utf-8"), "{}");
    assert!(
        differing(as_bytes(), body(json, "{}"), spelled)
            .await
            .is_empty()
    );
    let differs = differing(as_bytes(), body(json, "{}"), body(json, "{ }")).await;
    assert_eq!(differs, ["body"]);
    let without = RequestFingerprint::new().without_body();
    assert!(
        differing(without, body(json, "{}"), body(text, "[]"))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_body_of_no_bytes_has_no_type() {
    let types = [
        None,
        Some("application/json"),
        Some("text/plain"),
        Some(FORM),
        Some("multipart/form-data; boundary=a"),
    ];
    for one in types {
        for other in types {
            assert!(by_default(body(one, ""), body(other, "")).await.is_empty());
        }
        let differs = by_default(body(one, ""), body(one, "x")).await;
        assert!(differs.contains(&"body".to_owned()), "{one:?}");
    }
}

/// A form with its fields in another order, or in another spelling, was another request, although every parser of
/// forms sees the same fields.
#[tokio::test]
async fn a_form_is_its_fields() {
    for (first, second) in [
        ("amount=1&to=bob", "to=bob&amount=1"),
        ("name=a+b", "name=a%20b"),
        ("name=%7ebob", "name=~bob"),
        ("name=%e9%9b%AA", "name=%E9%9B%aa"),
        ("name=\u{96ea}", "name=%E9%9B%AA"),
        ("a=1&&b=2&", "a=1&b=2"),
        ("a=1&b", "b=&a=1"),
        ("x=1&a=1&x=2", "a=1&x=1&x=2"),
        ("a=b=c", "a=b%3Dc"),
    ] {
        let differs = by_default(body(Some(FORM), first), body(Some(FORM), second)).await;
        assert!(differs.is_empty(), "{first} {second}");
    }
    let many = |last: &str| "a=1&".repeat(5000) + last;
    let (many_x, many_y) = (many("x"), many("y"));
    for (first, second) in [
        ("amount=1", "amount=10"),
        ("a=1&a=2", "a=2&a=1"),
        ("a=1&b=2", "a=2&b=1"),
        ("a=1", "a=1&a=1"),
        ("a=1", "A=1"),
        ("a=%26b=2", "a=&b=2"),
        ("a=1+1", "a=1%2B1"),
        // Bytes that are not text, and a percent sign that parsers disagree on, are compared as they are.
        ("a=%ff", "a=%fe"),
        ("a=%ff", "a=%ef%bf%bd"),
        ("a=100%", "a=100%25"),
        ("a=%zz", "a=%25zz"),
        (&many_x, &many_y),
    ] {
        let differs = by_default(
            body(Some(FORM), first.to_owned()),
            body(Some(FORM), second.to_owned()),
        )
        .await;
        assert_eq!(differs, ["body"], "{first:.40} {second:.40}");
    }
    for same in ["a=%ff", "a=100%", &many_x] {
        let differs = by_default(
            body(Some(FORM), same.to_owned()),
            body(Some(FORM), same.to_owned()),
        )
        .await;
        assert!(differs.is_empty());
    }
    let as_bytes = RequestFingerprint::new().body_as_bytes();
    let swapped = differing(
        as_bytes,
        body(Some(FORM), "a=1&b=2"),
        body(Some(FORM), "b=2&a=1"),
    );
    assert_eq!(swapped.await, ["body"]);
}

/// Makes a body with a given boundary.
type Make<'a> = &'a dyn Fn(&str) -> Vec<u8>;

/// A part: its headers besides its name, and its bytes.
type Part<'a> = (&'a str, &'a str, &'a [u8]);

fn multipart(kind: &str, boundary: &str, parts: &[Part<'_>]) -> Call {
    body(
        Some(&format!("{kind}; boundary={boundary}")),
        encoded(boundary, parts),
    )
}

fn encoded(boundary: &str, parts: &[Part<'_>]) -> Vec<u8> {
    let boundary = boundary.trim_matches('"');
    let mut out = Vec::new();
    for (name, more, content) in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
}

/// Clients draw a new boundary for each request, so a retry of a form with a file was always another request.
#[tokio::test]
async fn a_multipart_form_is_its_parts() {
    let kind = "multipart/form-data";
    let file: &[u8] = b"\x00\xff\r\n--not the end\r\n";
    let named = "; filename=\"r\u{e9}sum\u{e9}.pdf\"\r\nContent-Type: application/pdf";
    let parts: [Part<'_>; 4] = [
        ("amount", "", b"1"),
        ("file", named, file),
        ("tag", "", b"a"),
        ("tag", "", b"b"),
    ];
    let first = || multipart(kind, "one", &parts);
    for (boundary, order) in [
        ("two", [0, 1, 2, 3]),
        ("\"a b\"", [2, 1, 3, 0]),
        ("one", [1, 2, 0, 3]),
    ] {
        let again: Vec<_> = order.map(|at| parts[at]).into();
        assert!(
            by_default(first(), multipart(kind, boundary, &again))
                .await
                .is_empty(),
            "{boundary}"
        );
    }
    let with = |at: usize, part: Part<'static>| {
        let mut changed: Vec<Part<'_>> = parts.to_vec();
        changed[at] = part;
        changed
    };
    let swapped: Vec<_> = [0, 1, 3, 2].map(|at| parts[at]).into();
    for other in [
        with(0, ("amount", "", b"10")),
        with(0, ("Amount", "", b"1")),
        with(0, ("amount", "", b"1 ")),
        with(0, ("amount", "\r\nContent-Type: text/plain", b"1")),
        with(
            1,
            (
                "file",
                "; filename=\"b.pdf\"\r\nContent-Type: application/pdf",
                b"\x00\xff\r\n--not the end\r\n",
            ),
        ),
        with(
            1,
            (
                "file",
                "; filename=\"r\u{e9}sum\u{e9}.pdf\"\r\nContent-Type: application/pdf",
                b"\x00\xfe\r\n--not the end\r\n",
            ),
        ),
        with(
            1,
            (
                "file",
                "; filename=\"r\u{e9}sum\u{e9}.pdf\"\r\nContent-Type: application/pdf",
                b"\x00\xff\n--not the end\r\n",
            ),
        ),
        swapped,
        parts[..3].to_vec(),
        Vec::new(),
    ] {
        let differs = by_default(first(), multipart(kind, "two", &other)).await;
        assert!(differs.contains(&"body".to_owned()), "{other:?}");
    }
}

#[tokio::test]
async fn in_any_other_multipart_the_order_has_a_meaning() {
    let parts: [Part<'_>; 2] = [("amount", "", b"1"), ("file", "", b"\x00")];
    let mixed =
        |boundary, at: [usize; 2]| multipart("multipart/mixed", boundary, &at.map(|at| parts[at]));
    assert!(
        by_default(mixed("one", [0, 1]), mixed("two", [0, 1]))
            .await
            .is_empty()
    );
    assert_eq!(
        by_default(mixed("one", [0, 1]), mixed("two", [1, 0])).await,
        ["body"]
    );
    let differs = by_default(
        mixed("one", [0, 1]),
        multipart("multipart/form-data", "one", &parts),
    )
    .await;
    assert_eq!(differs, ["content-type"]);
}

/// A body that parsers may read differently is compared as it is, with its boundary.
#[tokio::test]
async fn what_is_no_multipart_for_certain_is_compared_byte_for_byte() {
    let sent = |boundary: &str, bytes: Vec<u8>| {
        body(
            Some(&format!("multipart/form-data; boundary={boundary}")),
            bytes,
        )
    };
    let well = |boundary: &str| encoded(boundary, &[("a", "", b"1")]);
    let cut = |boundary: &str| well(boundary)[..30].to_vec();
    let before = |boundary: &str| [b"preamble\r\n", &well(boundary)[..]].concat();
    let after = |boundary: &str| [&well(boundary)[..], b"epilogue"].concat();
    let nameless = |boundary: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data\r\n\r\n1\r\n--{boundary}--\r\n")
            .into_bytes()
    };
    let long = |boundary: &str| {
        encoded(
            boundary,
            &[("a", &format!("\r\nx: {}", "y".repeat(20_000)), b"1")],
        )
    };
    let many = |boundary: &str| encoded(boundary, &[("a", "", &b"1"[..]); 1100]);
    let text = |boundary: &str| format!("{boundary} is no boundary here").into_bytes();
    let makes: [Make<'_>; 7] = [&cut, &before, &after, &nameless, &long, &many, &text];
    for (at, make) in makes.iter().enumerate() {
        assert!(
            by_default(sent("one", make("one")), sent("one", make("one")))
                .await
                .is_empty(),
            "{at}"
        );
        let differs = by_default(sent("one", make("one")), sent("two", make("two"))).await;
        assert_eq!(differs, ["body", "content-type"], "{at}");
        let differs = by_default(sent("one", well("one")), sent("one", make("one"))).await;
        assert_eq!(differs, ["body", "content-type"], "{at}");
    }
    let without = |bytes: Vec<u8>| body(Some("multipart/form-data"), bytes);
    assert_eq!(
        by_default(without(well("one")), without(well("two"))).await,
        ["body"]
    );
}

fn any_fields() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[a-c]{0,2}", "[ -~\u{e9}\u{1f600}]{0,6}"), 0..6)
}

/// Percent-encodes every byte, and reorders the names.
fn spelled_otherwise(fields: &[(String, String)]) -> String {
    let encoded = |text: &str| {
        text.bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>()
    };
    let mut fields = fields.to_vec();
    fields.sort_by(|one, other| other.0.cmp(&one.0));
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    fields.collect::<Vec<_>>().join("&")
}

fn by_name(fields: &[(String, String)]) -> Vec<(String, String)> {
    let mut fields = fields.to_vec();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

#[test]
fn two_forms_are_one_request_exactly_when_their_fields_are_equal() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let differ = |kind: [&str; 2], bodies: [Vec<u8>; 2]| {
        let [first, second] = bodies;
        let calls = (body(Some(kind[0]), first), body(Some(kind[1]), second));
        !runtime.block_on(by_default(calls.0, calls.1)).is_empty()
    };
    proptest!(|(first in any_fields(), second in any_fields())| {
        let spelled = |fields: &[(String, String)]| spelled_otherwise(fields).into_bytes();
        let plain = |fields: &[(String, String)]| {
            let mut out = form_urlencoded::Serializer::new(String::new());
            out.extend_pairs(fields).finish().into_bytes()
        };
        let parts = |boundary: &str, fields: &[(String, String)]| {
            let parts: Vec<Part<'_>> =
                fields.iter().map(|(name, value)| (name.as_str(), "", value.as_bytes())).collect();
            encoded(boundary, &parts)
        };
        let boundaries = ["multipart/form-data; boundary=xYz-1", "multipart/form-data; boundary=xYz-2"];
        prop_assert!(!differ([FORM, FORM], [plain(&first), spelled(&first)]));
        let differs = by_name(&first) != by_name(&second);
        prop_assert_eq!(differ([FORM, FORM], [plain(&first), spelled(&second)]), differs);
        let bodies = [parts("xYz-1", &first), parts("xYz-2", &by_name(&first))];
        prop_assert!(!differ(boundaries, bodies));
        let bodies = [parts("xYz-1", &first), parts("xYz-2", &second)];
        prop_assert_eq!(differ(boundaries, bodies), differs);
    });
}
