//! Operations: what they change, and what is refused.

use axum::body::Body;
use axum::http::Request;
use hapax::{ErrorKind, KeyState, Policy, Store};
use hapax_admin::{Actor, AdminRouter, Operation};
use serde_json::{Value, json};

use crate::rig::{World, act, act_as, claim, get, send};

fn happened(token: &str) -> Value {
    json!({"token": token, "reason": "INC-42: the provider confirmed", "outcome": "happened", "response": "receipt"})
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_key_in_doubt_is_resolved_under_a_name() {
    let world = World::new();
    world.doubt("order-42");
    let app = world.acting().into_router();
    let doubt = get(&app, "/in-doubt?bytes=true").await.json()["keys"][0].clone();
    assert_eq!(doubt["key"], "order-42");
    assert_eq!(doubt["holder_alive"], false);
    assert_eq!(doubt["reason"]["text"], "the provider timed out");

    let order = happened(doubt["token"].as_str().unwrap());
    let reply = act(&app, "/keys/pay/order-42/resolve", &order).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let done = reply.json();
    assert_eq!(done["operation"], "resolve");
    assert_eq!(done["actor"], "alice");
    assert_eq!(done["reason"], "INC-42: the provider confirmed");
    assert_eq!(done["now"]["state"], "completed");
    let info = world.pay.get("order-42").unwrap().unwrap();
    assert_eq!(info.body(), b"receipt");
    assert_eq!(done["now"]["token"], info.token().to_string());
    assert!(get(&app, "/in-doubt").await.keys().is_empty());

    let again = act(&app, "/keys/pay/order-42/resolve", &order).await;
    assert_eq!(again.problem(), code(409, "not-in-doubt"));
    assert_eq!(again.json()["current"]["state"], "completed");
}

#[tokio::test]
async fn the_other_outcomes_are_carried_out_too() {
    let world = World::new();
    let app = world.acting().into_router();
    let token = world.doubt("failed");
    let order = json!({"token": token, "reason": "r", "outcome": "failed", "error_hex": "00ff"});
    assert_eq!(
        act(&app, "/keys/pay/failed/resolve", &order).await.status,
        200
    );
    let info = world.pay.get("failed").unwrap().unwrap();
    assert_eq!(
        (info.state(), info.body()),
        (KeyState::Failed, &b"\x00\xff"[..])
    );
    let token = world.doubt("never");
    let order = json!({"token": token, "reason": "r", "outcome": "never_happened"});
    let done = act(&app, "/keys/pay/never/resolve", &order).await.json();
    assert_eq!(done["now"]["state"], "released");
    assert_eq!(claim(&world.pay, "never").attempt(), 1);
}

#[tokio::test]
async fn a_holder_loses_its_key_to_an_operator() {
    let world = World::new();
    let app = world.acting().into_router();
    for (namespace, operation, order, state) in [
        (&world.jobs, "release", json!({}), KeyState::Released),
        (&world.pay, "doubt", json!({}), KeyState::InDoubt),
        (
            &world.jobs,
            "fail",
            json!({"error": "given up"}),
            KeyState::Failed,
        ),
    ] {
        let lease = claim(namespace, operation);
        let mut order = order;
        order["token"] = lease.token().to_string().into();
        order["reason"] = "INC-7: it hangs".into();
        let path = format!("/keys/{}/{operation}/{operation}", namespace.name());
        let done = act(&app, &path, &order).await;
        assert_eq!(done.status, 200, "{done:?}");
        let info = namespace.get(operation).unwrap().unwrap();
        assert_eq!(info.state(), state);
        assert_eq!(done.json()["now"]["token"], info.token().to_string());
        let refused = lease.complete("late").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Superseded);
        let again = act(&app, &path, &order).await;
        assert_eq!(again.problem(), code(409, "superseded"));
        assert_eq!(again.json()["current"]["token"], info.token().to_string());
    }
    let lease = claim(&world.pay, "held");
    let order = json!({"token": lease.token(), "reason": "r"});
    let refused = act(&app, "/keys/pay/held/release", &order).await;
    assert_eq!(refused.problem(), code(409, "in-use"), "at-most-once");
    let gone = act(&app, "/keys/pay/none/release", &order).await;
    assert_eq!(gone.problem(), code(404, "not-held"));
    let nowhere = act(&app, "/keys/wrok/none/release", &order).await;
    assert_eq!(nowhere.problem(), code(404, "unknown-namespace"));
}

#[tokio::test]
async fn keys_are_forgotten_and_a_salvage_is_accepted() {
    let world = World::new();
    let app = world.acting().into_router();
    let order = json!({"reason": "GDPR-7"});
    world.jobs.insert("done").unwrap();
    let done = act(&app, "/keys/jobs/done/forget", &order).await.json();
    assert_eq!(
        (&done["forgotten"], &done["now"]),
        (&true.into(), &().into())
    );
    let done = act(&app, "/keys/jobs/done/forget", &order).await.json();
    assert_eq!(done["forgotten"], false);
    let reply = act(&app, "/accept-salvage", &json!({"reason": "looked up"})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["actor"], "alice");
}

#[tokio::test]
async fn nothing_is_forced_unless_the_service_allows_it() {
    let world = World::new();
    let lease = claim(&world.jobs, "held");
    let order = json!({"reason": "r", "token": lease.token(), "force": true});
    let path = "/keys/jobs/held/forget";
    let app = world.acting().into_router();
    assert_eq!(
        act(&app, path, &order).await.problem(),
        code(403, "force-off")
    );
    let plain = act(&app, path, &json!({"reason": "r"})).await;
    assert_eq!(plain.problem(), code(409, "in-use"));
    assert!(!lease.is_lost());
    let app = world.acting().allow_forced().into_router();
    let done = act(&app, path, &order).await.json();
    assert_eq!(done["forgotten"], true);
    assert!(lease.is_lost());

    let holder = claim(&world.pay, "alive");
    world.pass(3600);
    let mut order = json!({"reason": "r", "token": holder.token(), "outcome": "never_happened"});
    let path = "/keys/pay/alive/resolve";
    assert_eq!(act(&app, path, &order).await.problem(), code(409, "in-use"));
    order["force"] = true.into();
    assert_eq!(act(&app, path, &order).await.status, 200);
    assert!(holder.is_lost());
}

#[tokio::test]
async fn it_only_reads_until_it_is_told_who_acts() {
    let world = World::new();
    let token = world.doubt("order-42");
    let path = "/keys/pay/order-42/resolve";
    let reading = act(&world.reading(), path, &happened(&token)).await;
    assert_eq!(reading.problem(), code(403, "actions-off"));
    let app = world.acting().into_router();
    let unnamed = act_as(&app, None, path, &happened(&token)).await;
    assert_eq!(unnamed.problem(), code(401, "unauthenticated"));
    assert_eq!(
        unnamed.header("www-authenticate"),
        "Bearer realm=\"operators\""
    );
    let mallory = act_as(&app, Some("mallory"), path, &happened(&token)).await;
    assert_eq!(mallory.problem(), code(403, "forbidden"));
    let unnamed = act_as(&app, Some(""), path, &happened(&token)).await;
    assert_eq!(unnamed.problem(), code(500, "actor-unusable"));
    let few = world.acting().operations([Operation::Forget]).into_router();
    let other = act(&few, path, &happened(&token)).await;
    assert_eq!(other.problem(), code(403, "operation-off"));
    let missing = act(&app, "/keys/pay/order-42/purge", &happened(&token)).await;
    assert_eq!(missing.problem(), code(404, "unknown-operation"));
    let info = world.pay.get("order-42").unwrap().unwrap();
    assert_eq!(info.state(), KeyState::InDoubt);
}

#[tokio::test]
async fn an_operation_is_not_sent_by_a_form_or_another_site() {
    let world = World::new();
    let token = world.doubt("order-42");
    let app = world.acting().into_router();
    let sent = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/keys/pay/order-42/resolve").header("x-operator", "alice");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(happened(&token).to_string());
        send(&app, request.body(body).unwrap()).await
    };
    let not_json = code(415, "not-json");
    assert_eq!(sent(&[]).await.problem(), not_json);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain; application/json",
        "application/jsonp",
    ] {
        assert_eq!(sent(&[("content-type", kind)]).await.problem(), not_json);
    }
    let kind = ("content-type", "Application/JSON; charset=utf-8");
    for site in ["cross-site", "same-site", "?"] {
        let reply = sent(&[kind, ("sec-fetch-site", site)]).await;
        assert_eq!(reply.problem(), code(403, "cross-site"), "{site}");
    }
    let own = sent(&[kind, ("sec-fetch-site", "same-origin")]).await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn an_order_has_a_token_a_reason_and_a_size() {
    let world = World::new();
    let token = world.doubt("order-42");
    let path = "/keys/pay/order-42/resolve";
    let app = world.acting().into_router();
    let invalid = code(400, "invalid");
    for (member, value) in [
        ("reason", json!("")),
        ("reason", json!(" \t")),
        ("reason", json!("a\u{1b}[2J")),
        ("reason", Value::Null),
        ("token", token.parse::<u64>().unwrap().into()),
        ("outcome", json!("maybe")),
        ("forse", true.into()),
    ] {
        let mut order = happened(&token);
        order[member] = value;
        let reply = act(&app, path, &order).await;
        assert_eq!(reply.problem(), invalid, "{order}");
    }
    let mut order = happened(&token);
    order["reason"] = "r".repeat(257).into();
    assert_eq!(
        act(&app, path, &order).await.problem(),
        code(413, "too-large")
    );
    order["response"] = "x".repeat(64 * 1024).into();
    let long = act(&app, path, &order).await;
    assert_eq!(long.problem(), code(413, "body-too-large"));
    let mut order = happened(&token);
    order["token"] = "1".into();
    let other = act(&app, path, &order).await;
    assert_eq!(other.problem(), code(409, "superseded"));
    assert_eq!(other.json()["current"]["token"], token);
    assert_eq!(world.store.doubts().unwrap().map(Result::unwrap).count(), 1);
}

/// A service can serve a copy, or a store whose own service is down.
#[tokio::test]
async fn a_store_that_is_read_only_is_read_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    let lease = claim(&pay, "order-42");
    let token = lease.token().to_string();
    lease.doubt("why").unwrap();
    drop(pay);
    store.close().unwrap();
    let store = Store::builder(&path).read_only().open().unwrap();
    let app = AdminRouter::new(store)
        .allow_actions(|_| Ok(Actor::new("alice")))
        .into_router();
    assert_eq!(get(&app, "/in-doubt").await.keys(), ["order-42"]);
    let reply = act(&app, "/keys/pay/order-42/resolve", &happened(&token)).await;
    assert_eq!(reply.problem(), code(409, "read-only"));
}

#[tokio::test]
async fn a_poisoned_store_resolves_nothing() {
    let world = World::new();
    let token = world.doubt("order-42");
    let app = world.acting().into_router();
    world.log.crash();
    let reply = act(&app, "/keys/pay/order-42/resolve", &happened(&token)).await;
    assert_eq!(reply.problem(), code(503, "poisoned"));
    let again = act(&app, "/keys/pay/order-42/resolve", &happened(&token)).await;
    assert_eq!(again.problem(), code(503, "poisoned"));
}
