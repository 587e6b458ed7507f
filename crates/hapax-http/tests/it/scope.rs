//! Whose key it is.

use axum::Router;
use axum::routing::post;
use hapax_http::{IdempotencyLayer, Outcome};
use http::StatusCode;

use crate::rig::{self, Runs, at_least_once};

#[derive(Clone)]
struct Tenant(String);

fn app(layer: IdempotencyLayer) -> (Router, Runs) {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let app = Router::new()
        .route(
            "/payments/{id}/capture",
            post(handler.clone()).patch(handler.clone()),
        )
        .route("/refunds", post(handler))
        .layer(layer);
    (app, runs)
}

fn by_tenant() -> IdempotencyLayer {
    let scope = |parts: &http::request::Parts| {
        let tenant = parts.extensions.get::<Tenant>();
        tenant.map(|tenant| tenant.0.clone())
    };
    IdempotencyLayer::new(at_least_once()).scope(scope)
}

#[tokio::test]
async fn one_key_in_two_scopes_never_meets_and_nobody_learns_of_it() {
    let (app, runs) = app(by_tenant());
    let send = |tenant: &str, body: &'static str| {
        let call = rig::post("/refunds")
            .key("k")
            .extension(Tenant(tenant.into()))
            .body(body);
        let app = app.clone();
        async move { call.send(&app).await }
    };
    let [first, other] = [send("a", "x").await, send("b", "y").await];
    assert_eq!((first.text(), other.text()), ("run 1", "run 2"));
    // Except for its time, an answer in another scope is that of a new key.
    let names = |reply: &rig::Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first), names(&other));
    assert!(!other.is_replay());
    assert_eq!(send("a", "x").await.text(), "run 1");
    assert_eq!(send("b", "y").await.text(), "run 2");
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn parts_of_the_key_never_run_into_each_other() {
    let (app, runs) = app(by_tenant());
    for (tenant, key) in [
        ("a", "bc"),
        ("ab", "c"),
        ("a", "b"),
        ("abc", "x"),
        ("abcx", "y"),
    ] {
        let call = rig::post("/refunds")
            .key(key)
            .extension(Tenant(tenant.into()));
        assert!(!call.send(&app).await.is_replay());
    }
    assert_eq!(runs.count(), 5);
}

/// T-27: a layer whose own dependency is missing must not let requests through.
#[tokio::test]
async fn a_request_without_a_scope_is_refused() {
    let (app, runs) = app(by_tenant());
    let reply = rig::post("/refunds").key("k").send(&app).await;
    assert_eq!(
        (reply.status, reply.code()),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "missing-scope".to_owned()
        )
    );
    // A lookup with a default gives an empty name for every tenant that it does not find.
    for unknown in [String::new(), "t".repeat(256)] {
        let call = rig::post("/refunds").key("k").extension(Tenant(unknown));
        assert_eq!(call.send(&app).await.code(), "missing-scope");
    }
    assert_eq!(runs.count(), 0);
}

/// A service did not have to say whose requests come in, and without a scope the key of one customer got the stored
/// answer of another. One tenant is an explicit choice now, and the last choice counts.
#[tokio::test]
async fn the_last_choice_of_a_scope_counts() {
    let send = |app: Router, tenant: &str| {
        let call = rig::post("/refunds")
            .key("k")
            .extension(Tenant(tenant.into()));
        async move { call.send(&app).await.is_replay() }
    };
    let (shared, _) = app(by_tenant().one_tenant());
    assert!(!send(shared.clone(), "a").await);
    assert!(send(shared, "b").await);
    let by_header = |parts: &http::request::Parts| {
        let tenant = parts.headers.get("x-tenant")?.to_str().ok()?;
        Some(tenant.to_owned())
    };
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let (apart, runs) = app(layer.scope(by_header));
    for tenant in ["a", "b", "a"] {
        let call = rig::post("/refunds").key("k").header("x-tenant", tenant);
        call.send(&apart).await;
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn method_and_route_are_part_of_the_key() {
    let (app, runs) = app(IdempotencyLayer::new(at_least_once()).one_tenant());
    rig::post("/refunds").key("k").send(&app).await;
    rig::post("/payments/1/capture").key("k").send(&app).await;
    rig::call(http::Method::PATCH, "/payments/1/capture")
        .key("k")
        .send(&app)
        .await;
    assert_eq!(runs.count(), 3);
    // If the route is known, the path is compared; if not, the path is part of the key.
    let other = rig::post("/payments/2/capture").key("k").send(&app).await;
    if cfg!(feature = "axum") {
        assert_eq!(
            (other.code(), other.problem("differs")),
            ("mismatch".into(), serde_json::json!(["path"]))
        );
    } else {
        assert_eq!(other.text(), "run 4");
    }
}

/// axum removes the prefix of a nested router from the path that inner layers see. The layer compared the
/// rest, so a payment of one account got the stored payment of another.
#[cfg(feature = "axum")]
#[tokio::test]
async fn what_a_nested_router_takes_off_the_path_counts() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let nested = || {
        Router::new()
            .route("/pay", post(handler.clone()))
            .layer(layer.clone())
    };
    let app = Router::new()
        .nest("/accounts/{account}", nested())
        .nest("/refunds", nested());
    let send = |path: &'static str| rig::post(path).key("k").send(&app);
    assert_eq!(send("/accounts/1/pay").await.text(), "run 1");
    let other = send("/accounts/2/pay").await;
    assert_eq!(
        (other.code(), other.problem("differs")),
        ("mismatch".into(), serde_json::json!(["path"]))
    );
    assert_eq!(send("/refunds/pay").await.text(), "run 2");
    assert!(send("/accounts/1/pay").await.is_replay());
}

#[tokio::test]
async fn an_operation_of_hundreds_of_bytes_is_refused_and_can_be_named() {
    let long = format!("/payments/{}/capture", "1".repeat(600));
    let (plain, _) = app(IdempotencyLayer::new(at_least_once()).one_tenant());
    let reply = rig::post(&long).key("k").send(&plain).await;
    if cfg!(feature = "axum") {
        assert_eq!(reply.text(), "run 1", "its template is short");
    } else {
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::URI_TOO_LONG, "operation-too-long".to_owned())
        );
    }
    let (named, _) = app(IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .operation(|_| "capture".into()));
    assert_eq!(rig::post(&long).key("k").send(&named).await.text(), "run 1");
}

#[tokio::test]
async fn duplicates_are_told_the_id_of_the_first_request() {
    let (app, _) = app(IdempotencyLayer::new(at_least_once()).one_tenant());
    rig::post("/refunds")
        .key("k")
        .header("x-request-id", "req-1")
        .send(&app)
        .await;
    let second = rig::post("/refunds")
        .key("k")
        .header("x-request-id", "req-2")
        .send(&app)
        .await;
    let Some(Outcome::Replayed {
        first_request_id, ..
    }) = second.outcome
    else {
        panic!()
    };
    assert_eq!(first_request_id.as_deref(), Some("req-1"));
}

/// Proxies and clients spell one path in many ways (RFC 3986, section 6.2.2). Without the template of axum, each
/// spelling was another operation, so a retry through another proxy ran again; with the template it was refused.
#[tokio::test]
async fn one_path_in_two_spellings_is_one_operation() {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let layer = || IdempotencyLayer::new(at_least_once()).one_tenant();
    let bare = Router::new().fallback(post(handler.clone()));
    let routed = Router::new().route("/{*path}", post(handler));
    for app in [bare.layer(layer()), routed.layer(layer())] {
        for (key, one, other) in [
            ("1", "/pay/%7Ebob", "/pay/~bob"),
            ("2", "/pay/%7ebob", "/pay/%7Ebob"),
            ("3", "/pay/a%2fb", "/pay/a%2Fb"),
            ("4", "/pay/%61lice", "/pay/alice"),
            ("5", "/pay/./alice", "/pay/x/../alice"),
            ("6", "/pay?to=%7ebob&of=a%2fb", "/pay?to=~bob&of=a%2Fb"),
            ("7", "/pay?ids[]=1", "/pay?ids%5B%5D=1"),
        ] {
            let before = runs.count();
            rig::post(one).key(key).send(&app).await;
            let second = rig::post(other).key(key).send(&app).await;
            assert!(second.is_replay(), "{one} {other}: {}", second.text());
            assert_eq!(runs.count(), before + 1, "{one} {other}");
        }
        for (key, one, other) in [
            ("a", "/pay/a%2Fb", "/pay/a/b"),
            ("b", "/pay/a", "/pay/A"),
            ("c", "/pay/a", "/pay/a/"),
            ("d", "/pay/a+b", "/pay/a%20b"),
            ("e", "/pay?a=1&b=2", "/pay?b=2&a=1"),
            ("f", "/pay?a=b%26c", "/pay?a=b&c"),
        ] {
            rig::post(one).key(key).send(&app).await;
            assert!(
                !rig::post(other).key(key).send(&app).await.is_replay(),
                "{one} {other}"
            );
        }
    }
}
