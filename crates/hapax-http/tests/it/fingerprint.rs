//! Which differences make another request under the same key.

use axum::Router;
use axum::routing::post;
use hapax::CanonicalJson;
use hapax_http::{IdempotencyLayer, RequestFingerprint};
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rig::{self, Call, at_least_once};

fn app(fingerprint: RequestFingerprint) -> Router {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .operation(|_| "pay".into())
        .fingerprint(fingerprint);
    Router::new()
        .fallback(post(|| async { "paid" }))
        .layer(layer)
}

/// The labels that differ between two calls under one key; empty if the second is a replay.
async fn differing(fingerprint: RequestFingerprint, first: Call, second: Call) -> Vec<String> {
    let app = app(fingerprint);
    assert_eq!(first.key("k").send(&app).await.text(), "paid");
    let reply = second.key("k").send(&app).await;
    if reply.is_replay() {
        return Vec::new();
    }
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "mismatch".to_owned())
    );
    serde_json::from_value(reply.problem("differs")).unwrap()
}

async fn by_default(first: Call, second: Call) -> Vec<String> {
    differing(RequestFingerprint::new(), first, second).await
}

#[tokio::test]
async fn each_part_that_differs_is_named() {
    let post = || rig::post("/a?x=1").body("one");
    assert!(by_default(post(), post()).await.is_empty());
    let patch = rig::call(http::Method::PATCH, "/a?x=1").body("one");
    assert_eq!(by_default(post(), patch).await, ["method"]);
    assert_eq!(
        by_default(post(), rig::post("/b?x=1").body("one")).await,
        ["path"]
    );
    assert_eq!(
        by_default(post(), rig::post("/a?x=2").body("one")).await,
        ["query"]
    );
    assert_eq!(
        by_default(post(), rig::post("/a?x=1").body("two")).await,
        ["body"]
    );
    let all = rig::call(http::Method::PATCH, "/b?x=2").body("two");
    assert_eq!(
        by_default(post(), all).await,
        ["body", "method", "path", "query"]
    );
    let header = || RequestFingerprint::new().header("x-currency".parse().unwrap());
    let with = |value: &str| post().header("x-currency", value);
    assert!(
        differing(header(), with("EUR"), with("EUR"))
            .await
            .is_empty()
    );
    assert_eq!(
        differing(header(), with("EUR"), with("USD")).await,
        ["header:x-currency"]
    );
    assert_eq!(
        differing(header(), post(), with("")).await,
        ["header:x-currency"]
    );
    // T-24: the boundary between two values counts.
    let ab_c = post().header("x-currency", "ab").header("x-currency", "c");
    let a_bc = post().header("x-currency", "a").header("x-currency", "bc");
    assert_eq!(differing(header(), ab_c, a_bc).await, ["header:x-currency"]);
}

#[tokio::test]
async fn parts_can_be_left_out_and_added() {
    let print = || {
        RequestFingerprint::new()
            .without_method()
            .without_path()
            .without_query()
            .without_body()
            .part("first-byte", |_, body| {
                body.first().map(|byte| vec![*byte]).unwrap_or_default()
            })
    };
    let one = || rig::post("/a?x=1").body("one");
    let other = rig::call(http::Method::PATCH, "/b?x=2").body("other");
    assert!(differing(print(), one(), other).await.is_empty());
    assert_eq!(
        differing(print(), one(), rig::post("/a").body("two")).await,
        ["first-byte"]
    );
}

/// The labels that differ between two JSON bodies.
async fn json_differs(first: &str, second: &str) -> bool {
    !by_default(rig::post("/").json(first), rig::post("/").json(second))
        .await
        .is_empty()
}

#[tokio::test]
async fn json_is_compared_by_what_it_means() {
    for (first, second) in [
        (r#"{"a":1,"b":[1,2]}"#, "{ \"b\" : [1, 2],\n\t\"a\" : 1 }"),
        ("{\"a\":\"\u{e9}/\"}", r#"{"\u0061":"\u00e9\/"}"#),
        (r#"{"a":1.0}"#, r#"{"a":1}"#),
        // By UTF-16 units U+1F600 sorts before U+FF5E, by code points after it.
        (
            "{\"\u{1F600}\":1,\"\u{FF5E}\":2}",
            "{\"\u{FF5E}\":2,\"\u{1F600}\":1}",
        ),
        ("null", " null "),
    ] {
        assert!(!json_differs(first, second).await, "{first} {second}");
    }
    for (first, second) in [
        ("[1,2]", "[2,1]"),
        (
            r#"{"amount":9007199254740992}"#,
            r#"{"amount":9007199254740993}"#,
        ),
        (r#"{"amount":0.1}"#, r#"{"amount":0.10000000000000001}"#),
        (r#"{"a":null}"#, "{}"),
        (r#"{"a":""}"#, r#"{"a":null}"#),
        (r#"{"a":"1"}"#, r#"{"a":1}"#),
        ("null", ""),
    ] {
        assert!(json_differs(first, second).await, "{first} {second}");
    }
}

#[tokio::test]
async fn json_that_readers_do_not_agree_on_is_refused_and_claims_nothing() {
    let app = app(RequestFingerprint::new());
    let deep = "[".repeat(129) + &"]".repeat(129);
    for body in [
        r#"{"amount":1,"amount":1000}"#,
        r#"{"a":{"b":1,"\u0062":1}}"#,
        &deep,
        r#""\ud800""#,
    ] {
        let reply = rig::post("/").key("k").json(body).send(&app).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (400, "ambiguous-body".to_owned()),
            "{body}"
        );
        assert!(!reply.text().contains("1000"), "the body is not quoted");
    }
    assert_eq!(
        rig::post("/").key("k").json("{}").send(&app).await.text(),
        "paid"
    );
}

#[tokio::test]
async fn what_says_it_is_json_and_is_not_is_compared_byte_for_byte() {
    assert!(!json_differs("{not json", "{not json").await);
    assert!(json_differs("{not json", "{not  json").await);
    let text = |body: &'static str| {
        rig::post("/")
            .header("content-type", "text/plain")
            .body(body)
    };
    assert_eq!(
        by_default(text("{\"a\":1}"), text("{ \"a\":1}")).await,
        ["body"]
    );
    for json in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ] {
        let call = |body: &'static str| rig::post("/").header("content-type", json).body(body);
        assert!(
            by_default(call("{\"a\":1}"), call("{ \"a\":1}"))
                .await
                .is_empty(),
            "{json}"
        );
    }
}

#[tokio::test]
async fn members_can_be_left_out_or_picked_and_rfc_8785_can_be_taken_by_the_letter() {
    let call = |body: &'static str| rig::post("/").json(body);
    let without = || {
        let json = CanonicalJson::new()
            .without(["/sent_at", "/meta/trace"])
            .unwrap();
        RequestFingerprint::new().json(json)
    };
    let first = || call(r#"{"amount":1,"sent_at":1,"meta":{"trace":"a","v":1}}"#);
    let same = call(r#"{"amount":1,"sent_at":2,"meta":{"trace":"b","v":1}}"#);
    assert!(differing(without(), first(), same).await.is_empty());
    let other = call(r#"{"amount":2,"sent_at":1,"meta":{"trace":"a","v":1}}"#);
    assert_eq!(differing(without(), first(), other).await, ["body"]);
    let only = RequestFingerprint::new().json(CanonicalJson::new().only(["/amount"]).unwrap());
    assert!(
        differing(only, first(), call(r#"{"amount":1,"to":"x"}"#))
            .await
            .is_empty()
    );
    let big = || call("9007199254740992");
    let strict = RequestFingerprint::new().json(CanonicalJson::new().strict_rfc8785());
    assert!(
        differing(strict, big(), call("9007199254740993"))
            .await
            .is_empty(),
        "as f64 they are one"
    );
    let bytes = RequestFingerprint::new().body_as_bytes();
    assert_eq!(differing(bytes, call("{}"), call("{ }")).await, ["body"]);
}

/// T-25, R-20: no size turns the check off, and no prefix stands for the whole.
#[tokio::test]
async fn bodies_that_differ_in_their_last_byte_alone_are_two_requests() {
    let mut first = vec![7_u8; 1 << 20];
    let second = first.clone();
    *first.last_mut().unwrap() = 8;
    let differs = by_default(rig::post("/").body(first), rig::post("/").body(second)).await;
    assert_eq!(differs, ["body"]);
}

/// T-26: changed rules must not turn live retries into mismatches.
#[tokio::test]
async fn a_change_of_the_rules_under_another_scheme_does_not_refuse_retries() {
    let jobs = at_least_once();
    let app = |fingerprint| {
        let layer = IdempotencyLayer::new(jobs.clone())
            .one_tenant()
            .fingerprint(fingerprint);
        Router::new()
            .fallback(post(|| async { "paid" }))
            .layer(layer)
    };
    let old = app(RequestFingerprint::new());
    rig::post("/").key("k").body("b").send(&old).await;
    let new = app(RequestFingerprint::new()
        .header("x-new".parse().unwrap())
        .scheme(2));
    assert!(
        rig::post("/")
            .key("k")
            .body("b")
            .send(&new)
            .await
            .is_replay()
    );
}

/// A JSON value.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\u{e9}\u{1f600}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-d]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value with reversed members, and white space everywhere.
fn spelled_otherwise(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push_str("[ ");
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { " ,\n" } else { "" });
                spelled_otherwise(item, out);
            }
            out.push_str(" ]");
        }
        Value::Object(members) => {
            out.push_str("{\t");
            for (index, (name, item)) in members.iter().rev().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(&format!("{} : ", Value::from(name.as_str())));
                spelled_otherwise(item, out);
            }
            out.push('}');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[test]
fn two_json_bodies_are_one_request_exactly_when_their_values_are_equal() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    proptest!(|(first in any_json(), second in any_json())| {
        let mut same = String::new();
        spelled_otherwise(&first, &mut same);
        let differs = runtime.block_on(json_differs(&first.to_string(), &same));
        prop_assert!(!differs, "{first} {same}");
        let differs = runtime.block_on(json_differs(&first.to_string(), &second.to_string()));
        prop_assert_eq!(differs, first != second);
    });
    assert_eq!(json!({}), json!({}), "serde_json compares by value");
}
