//! Keys of the HTTP layer: found by what a client sent, shown in parts, and settled with an answer for clients.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::post;
use hapax::{KeyState, Policy, Store};
use hapax_admin::{Actor, AdminRouter};
use hapax_http::{IdempotencyLayer, KeyParts, KeyRule};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::rig::{Reply, World, act, claim, get};

const UUID: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

/// A service whose provider does not answer, its store, and the router for its operators.
struct Service {
    app: Router,
    admin: Router,
    store: Store,
}

impl Service {
    fn new() -> Self {
        let store = Store::in_memory().allow_at_most_once().open().unwrap();
        let payments = store.namespace("payments", Policy::at_most_once()).unwrap();
        let layer = IdempotencyLayer::new(payments)
            .scope(|request| {
                let tenant = request.headers.get("x-tenant")?;
                tenant.to_str().ok().map(str::to_owned)
            })
            .key_rule(KeyRule::uuid());
        let pay = post(|| async { axum::http::StatusCode::BAD_GATEWAY });
        let app = Router::new().route("/payments/{id}", pay).layer(layer);
        let admin = AdminRouter::new(store.clone()).allow_actions(|_| Ok(Actor::new("alice")));
        Self {
            app,
            admin: admin.into_router(),
            store,
        }
    }

    /// Sends a payment of a tenant.
    async fn pay(&self, tenant: &str, key: &str) -> (u16, HeaderMap, String) {
        let request = Request::post("/payments/7")
            .header("x-tenant", tenant)
            .header("idempotency-key", format!("\"{key}\""))
            .body(Body::empty())
            .unwrap();
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status.as_u16(), parts.headers, body)
    }

    async fn found(&self, query: &str) -> Vec<Value> {
        let found = get(&self.admin, query).await.json();
        found["keys"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {found}"))
            .clone()
    }

    async fn resolve(&self, doubt: &Value, order: Value) -> Reply {
        let mut order = order;
        order["token"] = doubt["token"].clone();
        order["reason"] = "INC-42: the provider confirmed".into();
        let key = doubt["key"].as_str().unwrap();
        act(
            &self.admin,
            &format!("/keys/payments/{key}/resolve"),
            &order,
        )
        .await
    }
}

/// `prefix=<uuid>` found nothing, because a key begins with the length of its tenant. Operators could not find a key
/// from the idempotency key in a client's complaint.
#[tokio::test]
async fn a_key_is_found_by_what_its_client_sent() {
    let service = Service::new();
    let other = UUID.replace('8', "9");
    for (tenant, key) in [("acme", UUID), ("umbrella", UUID), ("acme", &*other)] {
        assert_eq!(service.pay(tenant, key).await.0, 502);
    }
    let upper = UUID.to_uppercase();
    for (query, count) in [
        (format!("/in-doubt?client_key={upper}"), 2),
        (format!("/keys?client_key=%22{UUID}%22"), 2),
        (format!("/in-doubt?client_key={UUID}&tenant=acme"), 1),
        (
            "/keys?tenant=acme&operation=POST+%2Fpayments%2F%7Bid%7D".to_owned(),
            2,
        ),
        ("/keys?tenant=acme&operation=POST+%2Frefunds".to_owned(), 0),
        (format!("/in-progress?client_key={UUID}"), 0),
    ] {
        assert_eq!(service.found(&query).await.len(), count, "{query}");
    }
    let found = service
        .found(&format!("/keys?client_key={UUID}&tenant=acme"))
        .await;
    let parts = json!({"tenant": "acme", "operation": "POST /payments/{id}", "client_key": UUID});
    assert_eq!(found[0]["key_parts"], parts);
    let key = found[0]["key"].as_str().unwrap();
    let one = get(&service.admin, &format!("/keys/payments/{key}"))
        .await
        .json();
    assert_eq!(
        (&one["key_parts"], &one["state"]),
        (&parts, &json!("in_doubt"))
    );
}

/// `"response":"receipt-7"`, as the page showed it, answered the client 410: the layer needs a form of its own, which
/// no operator could write.
#[tokio::test]
async fn a_doubt_is_settled_with_an_answer_that_its_client_gets() {
    let service = Service::new();
    assert_eq!(service.pay("acme", UUID).await.0, 502);
    let (status, _, body) = service.pay("acme", UUID).await;
    assert_eq!(status, 409, "{body}");
    let doubt = &service.found("/in-doubt").await[0];

    let plain = json!({"outcome": "happened", "response": "receipt-7"});
    let refused = service.resolve(doubt, plain.clone()).await;
    assert_eq!(refused.problem(), (400, "http-answer-wanted".to_owned()));
    for (half, says) in [
        (json!({"status": 99}), "99"),
        (
            json!({"status": 201, "headers": ["content-type"]}),
            "header 1",
        ),
        (
            json!({"status": 201, "headers": ["content-length: 7"]}),
            "content-length",
        ),
        (json!({"status": 204, "body": "x"}), "204"),
        (
            json!({"status": 200, "body": "x", "body_hex": "00"}),
            "body",
        ),
    ] {
        let order = json!({"outcome": "happened", "http": half});
        let refused = service.resolve(doubt, order).await;
        assert_eq!(refused.problem(), (400, "invalid".to_owned()), "{half}");
        let detail = refused.json()["detail"].to_string();
        assert!(detail.contains(says), "{half}: {detail}");
    }
    assert_eq!(
        service.found("/in-doubt").await.len(),
        1,
        "nothing was stored"
    );

    let answer = json!({"status": 201, "headers": ["content-type: application/json"], "body": "{\"id\":\"ch_1\"}"});
    let order = json!({"outcome": "happened", "http": answer});
    let done = service.resolve(doubt, order).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json()["key_parts"]["client_key"], UUID);
    let (status, headers, body) = service.pay("acme", UUID).await;
    assert_eq!((status, body.as_str()), (201, "{\"id\":\"ch_1\"}"));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["idempotent-replayed"], "true");
}

#[tokio::test]
async fn the_other_outcomes_have_answers_too() {
    let service = Service::new();
    service.pay("acme", UUID).await;
    let doubt = &service.found("/in-doubt").await[0];
    let http = json!({"status": 402, "body": "declined"});
    let both = json!({"outcome": "failed", "error": "declined", "http": http});
    assert_eq!(service.resolve(doubt, both).await.status, 400);
    let never = json!({"outcome": "never_happened", "http": http});
    assert_eq!(service.resolve(doubt, never).await.status, 400);
    let raw = json!({"outcome": "failed", "http": http, "raw": true});
    assert_eq!(service.resolve(doubt, raw).await.status, 400);
    let failed = json!({"outcome": "failed", "http": http});
    assert_eq!(service.resolve(doubt, failed).await.status, 200);
    let (status, _, body) = service.pay("acme", UUID).await;
    assert_eq!((status, body.as_str()), (402, "declined"));

    // A key in progress fails with an answer, too.
    let payments = service.store.open_namespace("payments").unwrap();
    let parts = KeyParts::new(
        "acme",
        "POST /payments/{id}",
        "00000000-0000-4000-8000-000000000000",
    );
    let lease = claim(&payments, parts.to_key());
    let order = json!({"token": lease.token().to_string(), "reason": "r", "http": {"status": 410}});
    let running = &service.found("/in-progress?tenant=acme").await[0];
    let path = format!("/keys/payments/{}/fail", running["key"].as_str().unwrap());
    assert_eq!(act(&service.admin, &path, &order).await.status, 200);
    assert_eq!(service.pay("acme", parts.client_key()).await.0, 410);
}

/// A service may join three texts to a key itself, and other keys take no HTTP answer.
#[tokio::test]
async fn what_is_no_key_of_the_layer_is_settled_with_bytes() {
    let world = World::new();
    let app = world.acting().into_router();
    let joined = hapax::Key::join(["acme", "invoice", "7"]);
    let token = world.doubt(&joined);
    let path = format!("/keys/pay/{}/resolve", "%04acme%07invoice%017");
    let order = |more: Value| {
        let mut order = json!({"token": token, "reason": "r", "outcome": "happened"});
        order
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        order
    };
    let plain = act(&app, &path, &order(json!({"response": "receipt"}))).await;
    assert_eq!(plain.problem(), (400, "http-answer-wanted".to_owned()));
    let raw = act(
        &app,
        &path,
        &order(json!({"response": "receipt", "raw": true})),
    )
    .await;
    assert_eq!(raw.status, 200, "{raw:?}");
    let info = world.pay.get(&joined).unwrap().unwrap();
    assert_eq!(
        (info.state(), info.body()),
        (KeyState::Completed, &b"receipt"[..])
    );

    let token = world.doubt("order-42");
    let order =
        json!({"token": token, "reason": "r", "outcome": "happened", "http": {"status": 200}});
    let refused = act(&app, "/keys/pay/order-42/resolve", &order).await;
    assert_eq!(refused.problem(), (400, "invalid".to_owned()));
}
