//! Which statuses are final, and which give the key back.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, post};
use hapax::testing::MemoryLog;
use hapax::{Policy, Store};
use hapax_http::{Disposition, IdempotencyLayer, Outcome, RequestFingerprint, by_status};
use http::{Method, StatusCode};

use crate::rig::{self, Call, Reply, Runs, at_least_once, namespace};

/// A service that answers with the status from `decide`, and counts its runs.
fn deciding(
    policy: Policy,
    decide: impl Fn(&Request) -> u16 + Clone + Send + Sync + 'static,
) -> (Router, Runs) {
    let layer = IdempotencyLayer::new(namespace(policy))
        .one_tenant()
        .methods([Method::POST, Method::PATCH, Method::PUT]);
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move |request: Request| {
        let status = decide(&request);
        let run = counted.one_more();
        async move {
            let answer = Response::builder().status(status);
            answer.body(Body::from(format!("run {run}"))).unwrap()
        }
    };
    (Router::new().fallback(any(handler)).layer(layer), runs)
}

fn has(request: &Request, name: &str, value: &str) -> bool {
    request
        .headers()
        .get(name)
        .is_some_and(|told| told == value)
}

async fn send(app: &Router, method: Method, header: Option<(&str, &str)>) -> Reply {
    let mut call = rig::call(method, "/files/1").key("k").body("content");
    if let Some((name, value)) = header {
        call = call.header(name, value);
    }
    call.send(app).await
}

type Header = (&'static str, &'static str);

/// A refusal, the header that causes it, and the header that corrects it.
const REFUSED: [(u16, Option<Header>, &str, &str); 16] = [
    (
        401,
        Some(("authorization", "Bearer old")),
        "authorization",
        "Bearer new",
    ),
    (403, None, "x-csrf-token", "t"),
    (
        406,
        Some(("accept", "image/png")),
        "accept",
        "application/json",
    ),
    (407, None, "proxy-authorization", "Basic eA=="),
    (411, None, "x-length", "7"),
    (412, Some(("if-match", "\"v1\"")), "if-match", "\"v2\""),
    (
        415,
        Some(("content-type", "text/plain")),
        "content-type",
        "application/octet-stream",
    ),
    (416, Some(("range", "bytes=9-")), "range", "bytes=0-"),
    (417, Some(("expect", "more")), "accept", "*/*"),
    (421, Some(("host", "a.example")), "host", "b.example"),
    (426, None, "upgrade", "h2c"),
    (428, None, "if-match", "\"v2\""),
    (431, Some(("cookie", "long")), "cookie", "short"),
    (511, None, "x-login", "yes"),
    // A proxy says that a request came without TLS, and the service redirects it to TLS.
    (
        308,
        Some(("x-forwarded-proto", "http")),
        "x-forwarded-proto",
        "https",
    ),
    (
        301,
        Some(("x-forwarded-proto", "http")),
        "x-forwarded-proto",
        "https",
    ),
];

/// A request that was refused for a header got that refusal for a day, although the retry had the right header: a
/// fresh token, the right version, the right type. Nothing had run, so there is nothing to remember.
#[tokio::test]
async fn what_a_header_decided_is_decided_anew() {
    for (refused, wrong, name, right) in REFUSED {
        for policy in [Policy::at_least_once(), Policy::at_most_once()] {
            let decide = move |request: &Request| {
                if has(request, name, right) {
                    201
                } else {
                    refused
                }
            };
            let (app, runs) = deciding(policy, decide);
            let first = send(&app, Method::PATCH, wrong).await;
            assert_eq!(first.status.as_u16(), refused);
            assert_eq!(
                first.header("idempotency-stored"),
                Some("false"),
                "{refused}"
            );
            let mended = send(&app, Method::PATCH, Some((name, right))).await;
            assert_eq!(
                (mended.status.as_u16(), mended.text()),
                (201, "run 2"),
                "{refused}"
            );
            let again = send(&app, Method::PATCH, Some((name, right))).await;
            assert!(again.is_replay(), "{refused}");
            assert_eq!((again.text(), runs.count()), ("run 2", 2), "{refused}");
        }
    }
}

#[tokio::test]
async fn once_it_ran_another_condition_is_another_request() {
    let stale = Some(("if-match", "\"v1\""));
    let fresh = Some(("if-match", "\"v2\""));
    let (app, runs) = deciding(Policy::at_least_once(), |_| 200);
    send(&app, Method::PATCH, stale).await;
    let other = send(&app, Method::PATCH, fresh).await;
    assert_eq!(other.code(), "mismatch");
    assert_eq!(
        other.problem("differs"),
        serde_json::json!(["header:if-match"])
    );
    assert_eq!(runs.count(), 1);
}

/// A client with an expired token was refused twice. With a fresh token it was told that its request had failed as
/// often as it may, although it had never run. A refusal is not an attempt.
#[tokio::test]
async fn a_refusal_uses_up_no_attempt() {
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        let decide = |request: &Request| match request.headers().get("authorization") {
            Some(told) if told == "Bearer new" => 201,
            Some(_) => 401,
            None => 429,
        };
        let (app, runs) = deciding(policy.max_attempts(1), decide);
        for _ in 0..3 {
            send(&app, Method::POST, Some(("authorization", "Bearer old"))).await;
            send(&app, Method::POST, None).await;
        }
        let fresh = send(&app, Method::POST, Some(("authorization", "Bearer new"))).await;
        assert_eq!((fresh.status.as_u16(), fresh.text()), (201, "run 7"));
        let Some(Outcome::Executed { attempt: 1, .. }) = fresh.outcome else {
            panic!("{:?}", fresh.outcome)
        };
        let again = send(&app, Method::POST, Some(("authorization", "Bearer new"))).await;
        assert!(again.is_replay());
        assert_eq!(runs.count(), 7);
    }
}

/// Under at-most-once a claim is on the medium before the handler runs. If the power failed after a refusal, the key
/// would be in doubt, although nothing had begun.
#[tokio::test]
async fn a_refusal_that_was_told_leaves_no_doubt_when_the_power_goes() {
    for round in 0..20 {
        let log = MemoryLog::new();
        let open = || {
            let store = Store::in_memory()
                .allow_at_most_once()
                .log(&log)
                .open()
                .unwrap();
            store.namespace("http", Policy::at_most_once()).unwrap()
        };
        let refuse = || async { StatusCode::UNAUTHORIZED };
        let pay = || async { "paid" };
        let layer = IdempotencyLayer::new(open()).one_tenant();
        let app = Router::new().route("/pay", post(refuse)).layer(layer);
        assert_eq!(rig::post("/pay").key("k").send(&app).await.status, 401);
        log.crash();
        drop(app);
        let jobs = open();
        assert!(jobs.doubts().unwrap().next().is_none(), "round {round}");
        let layer = IdempotencyLayer::new(jobs).one_tenant();
        let app = Router::new().route("/pay", post(pay)).layer(layer);
        assert_eq!(rig::post("/pay").key("k").send(&app).await.text(), "paid");
    }
}

/// What happens to a key: a retry gets the answer, runs again, or is told this.
fn retry_of(status: u16, at_most_once: bool) -> &'static str {
    match status {
        302 | 303 | 200..=299 => "replay",
        301 | 304..=308 => "run",
        401 | 403 | 405..=407 | 409 | 411..=417 | 421 | 423..=426 | 428 | 429 | 431 | 451 => "run",
        501 | 505 | 511 => "run",
        408 | 500..=599 if at_most_once => "in-doubt",
        408 | 500..=599 => "run",
        _ => "replay",
    }
}

/// Every status under both guarantees. A status that says that nothing began never leaves a doubt.
#[tokio::test]
async fn every_status_is_final_or_is_not() {
    let statuses = (200..=226)
        .chain(301..=308)
        .chain(400..=431)
        .chain([440, 451, 499])
        .chain(500..=511);
    for status in statuses {
        for at_most_once in [false, true] {
            let policy = if at_most_once {
                Policy::at_most_once()
            } else {
                Policy::at_least_once()
            };
            let (app, runs) = deciding(policy, move |_| status);
            let first = send(&app, Method::POST, None).await;
            let retry = send(&app, Method::POST, None).await;
            let came_to = match runs.count() {
                2 => "run".to_owned(),
                _ if retry.is_replay() => "replay".to_owned(),
                _ => retry.code(),
            };
            let wanted = retry_of(status, at_most_once);
            assert_eq!(came_to, wanted, "{status}, at most once: {at_most_once}");
            let stored = if wanted == "replay" { "true" } else { "false" };
            assert_eq!(first.header("idempotency-stored"), Some(stored), "{status}");
            assert_eq!(first.status, status);
        }
    }
    let switching = by_status(StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(
        switching,
        Disposition::Omit,
        "there is no connection to replay it on"
    );
}

/// A chunk of an upload got the answer of another chunk with the same bytes, and was never written. Its offset is in a
/// header, which was not compared.
#[tokio::test]
async fn a_chunk_for_another_place_is_another_request() {
    for (name, one, other) in [
        ("upload-offset", "0", "7"),
        ("upload-length", "7", "14"),
        ("upload-complete", "?0", "?1"),
        ("content-range", "bytes 0-6/14", "bytes 7-13/14"),
        ("range", "bytes=0-6", "bytes=7-13"),
        ("if-match", "\"a\"", "\"b\""),
        ("if-none-match", "*", "\"a\""),
        (
            "if-modified-since",
            "Sun, 29 Nov 2026 11:00:00 GMT",
            "Sun, 29 Nov 2026 12:00:00 GMT",
        ),
        (
            "if-unmodified-since",
            "Sun, 29 Nov 2026 11:00:00 GMT",
            "Sun, 29 Nov 2026 12:00:00 GMT",
        ),
        ("if-range", "\"a\"", "\"b\""),
        ("content-encoding", "gzip", "br"),
        ("content-language", "de", "en"),
        (
            "content-disposition",
            "attachment; filename=a",
            "attachment; filename=b",
        ),
        ("destination", "/a", "/b"),
        ("if", "(<urn:a>)", "(<urn:b>)"),
        ("soapaction", "pay", "refund"),
        ("x-http-method-override", "DELETE", "PATCH"),
    ] {
        for method in [Method::POST, Method::PATCH, Method::PUT] {
            let (app, runs) = deciding(Policy::at_least_once(), |_| 204);
            send(&app, method.clone(), Some((name, one))).await;
            for otherwise in [Some((name, other)), None] {
                let reply = send(&app, method.clone(), otherwise).await;
                let label = format!("header:{name}");
                assert_eq!(
                    reply.problem("differs"),
                    serde_json::json!([label]),
                    "{method}"
                );
            }
            assert!(send(&app, method, Some((name, one))).await.is_replay());
            assert_eq!(runs.count(), 1);
        }
    }
    // Headers that say how to answer, or who asks, do not change the operation.
    for (name, one, other) in [
        ("prefer", "return=minimal", "return=representation"),
        ("accept", "text/html", "application/json"),
        ("authorization", "Bearer a", "Bearer b"),
        ("user-agent", "a", "b"),
        ("traceparent", "00-a", "00-b"),
        ("expect", "100-continue", ""),
    ] {
        let (app, _) = deciding(Policy::at_least_once(), |_| 204);
        send(&app, Method::PATCH, Some((name, one))).await;
        assert!(
            send(&app, Method::PATCH, Some((name, other)))
                .await
                .is_replay(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn headers_that_count_by_default_can_be_left_out_and_named_once_more() {
    let version = http::header::IF_MATCH;
    let offset: http::HeaderName = "upload-offset".parse().unwrap();
    let rules = RequestFingerprint::new;
    let (left_out, named) = (Vec::new(), vec!["header:if-match"]);
    for (rules, differs) in [
        (rules().without_header(version.clone()), &left_out),
        (rules().header(version.clone()), &named),
        (
            rules().header(version.clone()).header(version.clone()),
            &named,
        ),
        (
            rules()
                .header(version.clone())
                .without_header(version.clone()),
            &left_out,
        ),
        (
            rules()
                .without_header(version.clone())
                .header(version.clone()),
            &named,
        ),
        (rules().without_header(offset), &named),
    ] {
        let layer = IdempotencyLayer::new(at_least_once())
            .one_tenant()
            .fingerprint(rules);
        let app = Router::new()
            .route("/files/1", post(|| async {}))
            .layer(layer);
        let sent = |version: &str| {
            let call = rig::post("/files/1").key("k").header("upload-offset", "0");
            call.header("if-match", version)
        };
        sent("\"a\"").send(&app).await;
        let second = sent("\"b\"").send(&app).await;
        assert_eq!(second.is_replay(), differs.is_empty());
        if !second.is_replay() {
            assert_eq!(second.problem("differs"), serde_json::json!(differs));
        }
    }
}

/// Dozens of such headers, or one with a name of hundreds of bytes, do not fit into a fingerprint one by one, but are
/// still compared.
#[tokio::test]
async fn more_conditions_than_can_be_named_are_compared_together() {
    let many = |last: &str| -> Call {
        let mut call = rig::post("/files/1").key("k");
        for number in 0..40 {
            call = call.header(&format!("upload-x{number}"), "1");
        }
        call.header("upload-y", last)
    };
    let long = |value: &str| {
        let name = format!("upload-{}", "n".repeat(100));
        rig::post("/files/1").key("k").header(&name, value)
    };
    let cases: [(Call, Call, Call); 2] = [
        (many("a"), many("a"), many("b")),
        (long("a"), long("a"), long("b")),
    ];
    for (first, same, other) in cases {
        let (app, runs) = deciding(Policy::at_least_once(), |_| 204);
        first.send(&app).await;
        assert!(same.send(&app).await.is_replay());
        let other = other.send(&app).await;
        assert_eq!(other.problem("differs"), serde_json::json!(["headers"]));
        assert_eq!(runs.count(), 1);
    }
}

#[tokio::test]
async fn the_disposition_of_one_status_can_be_chosen() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .disposition_of(StatusCode::FORBIDDEN, Disposition::Release)
        .disposition_of(StatusCode::FORBIDDEN, Disposition::Store)
        .disposition_of(StatusCode::UNPROCESSABLE_ENTITY, Disposition::Release);
    let answering = |layer: IdempotencyLayer, status: StatusCode| {
        let runs = Runs::default();
        let counted = runs.clone();
        let handler = move || async move {
            counted.one_more();
            status
        };
        (
            Router::new().route("/pay", post(handler)).layer(layer),
            runs,
        )
    };
    for (layer, status, runs_wanted) in [
        (layer.clone(), StatusCode::FORBIDDEN, 1),
        (layer.clone(), StatusCode::UNPROCESSABLE_ENTITY, 2),
        (layer.clone(), StatusCode::UNAUTHORIZED, 2),
        (layer.clone(), StatusCode::CREATED, 1),
        // A function for all statuses does not override the choice for one status.
        (
            layer.disposition(|_| Disposition::Store),
            StatusCode::UNPROCESSABLE_ENTITY,
            2,
        ),
    ] {
        let (app, runs) = answering(layer, status);
        let key = format!("{status} {runs_wanted} {:p}", &app);
        for _ in 0..2 {
            rig::post("/pay")
                .key(&key.replace(' ', "-"))
                .send(&app)
                .await;
        }
        assert_eq!(runs.count(), runs_wanted, "{status}");
    }
}
