//! Hostile keys, and what an answer must not repeat.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::json;

use crate::rig::{World, act, get, send};

fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = [
        "/",
        "//",
        "..",
        ".",
        "%",
        "%2F",
        "+",
        " ",
        "?",
        "#",
        "&a=b",
        "{key}",
        "*",
        "\\",
        "\r\nx: y",
        "\0",
        "\u{202e}abc",
        "\u{9b}2J",
        "</script>",
        "resolve",
        "\u{fffd}",
    ]
    .map(|key| key.as_bytes().to_vec())
    .to_vec();
    keys.push(vec![0xff, 0xfe]);
    keys.push(vec![0xc3]);
    keys.push((0..=255).collect());
    keys.push(vec![b'%'; 1024]);
    keys.push(vec![0xff; 1024]);
    keys
}

/// A key can be copied from a list into a path, and means the same key there.
#[tokio::test]
async fn any_key_can_be_listed_read_and_resolved() {
    let world = World::new();
    let app = world.acting().into_router();
    for key in keys() {
        let name = key.escape_ascii().to_string();
        let token = world.doubt(&key);
        let list = get(&app, "/in-doubt").await;
        assert!(list.text.is_ascii(), "{name}");
        let [shown] = &list.keys()[..] else {
            panic!("{name}: one key is in doubt");
        };
        let read = get(&app, &format!("/keys/pay/{shown}")).await;
        assert_eq!(read.json()["token"], token, "{name}");
        let order = json!({"token": token, "reason": "r", "outcome": "happened", "response": ""});
        let done = act(&app, &format!("/keys/pay/{shown}/resolve"), &order).await;
        assert_eq!(done.status, 200, "{name}: {done:?}");
        assert!(world.pay.contains(&key).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_key_over_the_limit_is_refused() {
    let world = World::new();
    let long = "a".repeat(1025);
    let reply = get(&world.reading(), &format!("/keys/pay/{long}")).await;
    assert_eq!(reply.problem(), (413, "too-large".into()));
}

/// Error messages end up in logs and tickets, so none of them contains the key of a customer.
#[tokio::test]
async fn no_problem_repeats_a_key() {
    let world = World::new();
    let secret = "4111111111111111";
    let token = world.doubt(secret);
    let _running = crate::rig::claim(&world.jobs, secret);
    let app = world.acting().into_router();
    let mut replies = Vec::new();
    for path in [
        format!("/keys/pay/{secret}%zz"),
        format!("/keys/none/{secret}"),
        format!("/keys/jobs/x{secret}"),
        format!("/keys/pay/{secret}?limit=1"),
        format!("/keys?{secret}"),
        format!("/keys?prefix={secret}%"),
        format!("/keys?namespace=pay&prefix={secret}&prefix={secret}"),
        format!("/keys/pay/{}", secret.repeat(80)),
    ] {
        replies.push(get(&app, &path).await);
    }
    for (path, order) in [
        (
            "pay/4111111111111111/resolve",
            json!({"token": "1", "reason": "r", "outcome": "never_happened"}),
        ),
        (
            "pay/4111111111111111/release",
            json!({"token": token, "reason": "r"}),
        ),
        (
            "jobs/4111111111111111/release",
            json!({"token": "1", "reason": "r"}),
        ),
        ("jobs/4111111111111111/forget", json!({"reason": "r"})),
        (
            "jobs/4111111111111111/resolve",
            json!({"token": token, "reason": "r", "outcome": "never_happened"}),
        ),
        ("jobs/4111111111111111/none", json!({})),
        (
            "jobs/4111111111111111/fail",
            json!({"token": "1", "reason": "r", "error": ""}),
        ),
        (
            "jobs/x4111111111111111/fail",
            json!({"token": "1", "reason": "r", "error": ""}),
        ),
    ] {
        replies.push(act(&app, &format!("/keys/{path}"), &order).await);
    }
    let put = Request::put(format!("/keys/pay/{secret}")).body(Body::empty());
    replies.push(send(&app, put.unwrap()).await);
    for reply in replies {
        let (status, code) = reply.problem();
        assert!(
            status >= 400 && !reply.text.contains(secret),
            "{code}: {reply:?}"
        );
    }
}

/// A body may lie about its length, and headers may be anything that HTTP allows.
#[tokio::test]
async fn headers_that_are_not_text_are_refused() {
    let world = World::new();
    world.doubt("order-42");
    let app = world.acting().into_router();
    let mut request = Request::post("/keys/pay/order-42/resolve")
        .header("x-operator", "alice")
        .body(Body::from("{}"))
        .unwrap();
    let odd = HeaderValue::from_bytes(b"application/json\xff").unwrap();
    request.headers_mut().insert("content-type", odd);
    assert_eq!(
        send(&app, request).await.problem(),
        (415, "not-json".into())
    );
}
