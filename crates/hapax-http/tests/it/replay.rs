//! A replay is the first answer again: status, headers in order, body.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use hapax::{Policy, Store};
use hapax_http::{Disposition, HeaderRules, IdempotencyLayer, Outcome, Reason, StoredResponse};
use http::header::{CONTENT_LENGTH, ETAG, SET_COOKIE};
use http::{HeaderName, StatusCode};
use proptest::prelude::*;

use crate::rig::{self, Reply, Runs, at_least_once, namespace};

/// A service that answers with the response from `make`, and counts its runs.
fn answering(
    layer: IdempotencyLayer,
    make: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> (Router, Runs) {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || {
        counted.one_more();
        let answer = make();
        async move { answer }
    };
    (
        Router::new().route("/pay", post(handler)).layer(layer),
        runs,
    )
}

async fn twice(app: &Router) -> [Reply; 2] {
    let first = rig::post("/pay").key("k").send(app).await;
    [first, rig::post("/pay").key("k").send(app).await]
}

/// The headers in order, without those of the layer and the length that axum adds.
fn lines(reply: &Reply) -> Vec<(String, Vec<u8>)> {
    let ours = [
        "content-length",
        "idempotent-replayed",
        "idempotency-stored",
        "idempotency-expires",
    ];
    let lines = reply
        .headers
        .iter()
        .filter(|(name, _)| !ours.contains(&name.as_str()));
    lines
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}

#[tokio::test]
async fn status_headers_in_their_order_and_body_are_the_same() {
    let (app, runs) = answering(IdempotencyLayer::new(at_least_once()).one_tenant(), || {
        Response::builder()
            .status(201)
            .header("x-b", "1")
            .header("content-type", "application/json")
            .header("x-a", "2")
            .header("x-b", "3")
            .header("location", "/payments/7")
            .header("x-bytes", &b"\xfa\xfb"[..])
            .header("etag", "\"v1\"")
            .body(Body::from(r#"{"id":7}"#))
            .unwrap()
    });
    let [first, second] = twice(&app).await;
    assert_eq!(
        (first.status, second.status),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    assert_eq!(lines(&first), lines(&second));
    let order: Vec<&str> = second.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(
        order[..5],
        ["x-b", "content-type", "x-a", "location", "x-bytes"]
    );
    assert_eq!(first.body, second.body);
    assert!(!first.is_replay() && second.is_replay());
    assert_eq!(first.header("idempotency-stored"), Some("true"));
    assert_eq!(second.header("idempotency-stored"), Some("true"));
    assert_eq!(runs.count(), 1);
    let Some(Outcome::Replayed {
        attempts: 1,
        settled_at,
        expires_at,
        ..
    }) = second.outcome
    else {
        panic!("{:?}", second.outcome)
    };
    let shown = httpdate::fmt_http_date(expires_at);
    assert_eq!(second.header("idempotency-expires"), Some(&*shown));
    assert!(settled_at < expires_at);
}

#[tokio::test]
async fn empty_null_and_binary_bodies_are_answers_too() {
    for body in [&b""[..], b"null", b"0", b"\x00\xff\x00", &[7; 200_000]] {
        for status in [200, 202, 204, 303, 400, 402, 404, 422] {
            let (app, runs) = answering(
                IdempotencyLayer::new(at_least_once()).one_tenant(),
                move || {
                    Response::builder()
                        .status(status)
                        .body(Body::from(body))
                        .unwrap()
                },
            );
            let [first, second] = twice(&app).await;
            assert_eq!((first.status, first.body), (second.status, second.body));
            assert!(second.headers.contains_key("idempotent-replayed"));
            assert_eq!(runs.count(), 1, "{status}");
        }
    }
}

/// A handler that passed on the answer of another such service sent the expiry of that service along with
/// `Idempotency-Stored: false`.
#[tokio::test]
async fn what_is_not_stored_has_no_expiry() {
    let (app, _) = answering(IdempotencyLayer::new(at_least_once()).one_tenant(), || {
        Response::builder()
            .status(503)
            .header("idempotency-stored", "true")
            .header("idempotency-expires", "Fri, 31 Dec 9999 23:59:59 GMT")
            .body(Body::empty())
            .unwrap()
    });
    let [first, _] = twice(&app).await;
    assert_eq!(first.header("idempotency-stored"), Some("false"));
    assert_eq!(first.header("idempotency-expires"), None);
}

#[tokio::test]
async fn too_many_requests_and_server_errors_are_released() {
    for status in [429, 500, 502, 503, 504] {
        let (app, runs) = answering(
            IdempotencyLayer::new(at_least_once()).one_tenant(),
            move || {
                Response::builder()
                    .status(status)
                    .body(Body::from("not now"))
                    .unwrap()
            },
        );
        let [first, second] = twice(&app).await;
        assert_eq!(
            (first.status.as_u16(), second.status.as_u16()),
            (status, status)
        );
        assert_eq!(first.header("idempotency-stored"), Some("false"));
        assert_eq!(second.text(), "not now");
        assert_eq!(runs.count(), 2);
    }
}

#[tokio::test]
async fn at_most_once_a_server_error_is_in_doubt_and_429_is_not() {
    for (status, runs_wanted, code) in [(500, 1, Some("in-doubt")), (429, 2, None)] {
        let layer = IdempotencyLayer::new(namespace(Policy::at_most_once())).one_tenant();
        let (app, runs) = answering(layer, move || {
            Response::builder()
                .status(status)
                .body(Body::empty())
                .unwrap()
        });
        let [_, second] = twice(&app).await;
        assert_eq!(runs.count(), runs_wanted);
        if let Some(code) = code {
            assert_eq!(second.status, StatusCode::CONFLICT);
            assert_eq!(second.code(), code);
            assert_eq!(second.header("retry-after"), Some("60"));
        }
    }
}

#[tokio::test]
async fn a_policy_or_the_handler_itself_decides_what_becomes_of_the_key() {
    let keep_all = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .disposition(|_| Disposition::Store);
    let (app, runs) = answering(keep_all, || {
        Response::builder()
            .status(503)
            .body(Body::from("down"))
            .unwrap()
    });
    assert_eq!(twice(&app).await[1].text(), "down");
    assert_eq!(runs.count(), 1);

    let (app, runs) = answering(IdempotencyLayer::new(at_least_once()).one_tenant(), || {
        let refused = Response::builder()
            .status(422)
            .extension(Disposition::Release);
        refused.body(Body::empty()).unwrap()
    });
    twice(&app).await;
    assert_eq!(
        runs.count(),
        2,
        "a validation inside the handler gives the key back"
    );

    let (app, runs) = answering(IdempotencyLayer::new(at_least_once()).one_tenant(), || {
        let secret = Response::builder().status(201).extension(Disposition::Omit);
        secret.body(Body::from("one-time secret")).unwrap()
    });
    let [first, second] = twice(&app).await;
    assert_eq!(
        (first.text(), first.header("idempotency-stored")),
        ("one-time secret", Some("false"))
    );
    assert_eq!(
        (second.status, second.code()),
        (StatusCode::GONE, "answer-not-kept".to_owned())
    );
    assert!(
        second
            .problem("detail")
            .as_str()
            .unwrap()
            .contains("status 201")
    );
    assert_eq!(runs.count(), 1);
}

/// Trap: secrets of the first client's session in a store on disk, and in the answers to other clients.
#[tokio::test]
async fn secrets_and_headers_of_one_connection_are_never_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let (app, _) = answering(IdempotencyLayer::new(jobs).one_tenant(), || {
        Response::builder()
            .header("set-cookie", "sid=oh-so-secret")
            .header("authorization", "Bearer oh-so-secret")
            .header("connection", "x-hop, keep-alive")
            .header("x-hop", "oh-so-secret")
            .header("keep-alive", "timeout=5")
            .header("x-kept", "yes")
            .body(Body::from("ok"))
            .unwrap()
    });
    let [first, second] = twice(&app).await;
    assert_eq!(
        first.header("set-cookie"),
        Some("sid=oh-so-secret"),
        "the first client gets it"
    );
    let kept = [
        ("x-kept".to_owned(), b"yes".to_vec()),
        ("content-length".to_owned(), b"2".to_vec()),
    ];
    assert_eq!(lines(&second)[..1], kept[..1]);
    store.close().unwrap();
    for file in files(dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes
            .windows(13)
            .any(|window| window == b"oh-so-secret\0" || window.starts_with(b"oh-so-secret"));
        assert!(!found, "{}", file.display());
    }
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn headers_are_denied_allowed_and_picked() {
    let make = || {
        Response::builder()
            .header("set-cookie", "a=b")
            .header("etag", "\"1\"")
            .header("x-trace", "t")
            .body(Body::from("ok"))
            .unwrap()
    };
    let names = |rules: HeaderRules| async move {
        let layer = IdempotencyLayer::new(at_least_once())
            .one_tenant()
            .stored_headers(rules);
        let [_, second] = twice(&answering(layer, make).0).await;
        lines(&second)
            .into_iter()
            .map(|line| line.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(HeaderRules::new()).await, ["etag", "x-trace"]);
    assert_eq!(
        names(HeaderRules::new().allow(&SET_COOKIE)).await,
        ["set-cookie", "etag", "x-trace"]
    );
    let denied = HeaderRules::new().deny(HeaderName::from_static("x-trace"));
    assert_eq!(names(denied).await, ["etag"]);
    assert_eq!(
        names(HeaderRules::new().only([ETAG, SET_COOKIE])).await,
        ["etag"]
    );
}

#[tokio::test]
async fn what_is_stored_can_be_redacted_and_the_first_answer_is_whole() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .redact(|headers, body| {
            headers.remove("x-card");
            *body = Bytes::from(String::from_utf8_lossy(body).replace("4242", "****"));
        });
    let (app, _) = answering(layer, || {
        Response::builder()
            .header("x-card", "4242")
            .body(Body::from("card 4242"))
            .unwrap()
    });
    let [first, second] = twice(&app).await;
    assert_eq!(
        (first.text(), first.header("x-card")),
        ("card 4242", Some("4242"))
    );
    assert_eq!(
        (second.text(), second.header("x-card")),
        ("card ****", None)
    );
}

#[tokio::test]
async fn a_redacted_body_of_another_length_takes_its_length_with_it() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .redact(|_, body| *body = Bytes::from("-"));
    let (app, _) = answering(layer, || {
        let answer = Response::builder().header(CONTENT_LENGTH, "9");
        answer.body(Body::from("card 4242")).unwrap()
    });
    let [first, second] = twice(&app).await;
    assert_eq!(first.header("content-length"), Some("9"));
    assert_eq!(second.text(), "-");
    assert_ne!(second.header("content-length"), Some("9"));
}

#[tokio::test]
async fn a_response_over_the_limit_goes_through_and_is_never_run_again() {
    for (policy, bytes) in [
        (1 << 20, (1 << 20) + 1),
        (1 << 20, 1 << 20),
        (100, 99),
        (64, 65),
    ] {
        let jobs = namespace(Policy::at_least_once().max_response(policy));
        let (app, runs) = answering(IdempotencyLayer::new(jobs).one_tenant(), move || {
            Response::builder()
                .status(201)
                .body(Body::from(vec![7; bytes]))
                .unwrap()
        });
        let [first, second] = twice(&app).await;
        assert_eq!(first.body.len(), bytes);
        assert_eq!(first.header("idempotency-stored"), Some("false"));
        assert_eq!(
            (second.status, second.code()),
            (StatusCode::GONE, "answer-not-kept".to_owned())
        );
        assert_eq!(runs.count(), 1, "{policy} {bytes}");
    }
}

#[tokio::test]
async fn a_limit_of_the_layer_is_one_of_the_body_alone() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .response_bytes_max(10);
    for (bytes, stored) in [(10, "true"), (11, "false")] {
        let (app, _) = answering(layer.clone(), move || {
            Response::new(Body::from(vec![7; bytes]))
        });
        let reply = rig::post("/pay").key(&format!("{bytes}")).send(&app).await;
        assert_eq!(
            (reply.body.len(), reply.header("idempotency-stored")),
            (bytes, Some(stored))
        );
    }
}

#[tokio::test]
async fn replays_survive_a_restart_of_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut expires = Vec::new();
    for round in 0..3 {
        let store = Store::open(&path).unwrap();
        let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
        let (app, runs) = answering(IdempotencyLayer::new(jobs).one_tenant(), move || {
            Response::builder()
                .header("x-round", round)
                .body(Body::from("paid"))
                .unwrap()
        });
        let reply = rig::post("/pay").key("k").send(&app).await;
        assert_eq!((reply.text(), reply.header("x-round")), ("paid", Some("0")));
        assert_eq!(runs.count(), u32::from(round == 0));
        expires.push(reply.header("idempotency-expires").unwrap().to_owned());
        store.close().unwrap();
    }
    assert_eq!(expires[1], expires[2]);
}

#[tokio::test]
async fn an_operator_settles_a_doubt_with_a_response() {
    let jobs = namespace(Policy::at_most_once());
    let (app, runs) = answering(IdempotencyLayer::new(jobs.clone()).one_tenant(), || {
        Response::builder().status(500).body(Body::empty()).unwrap()
    });
    assert_eq!(twice(&app).await[1].code(), "in-doubt");
    let paid = http::Response::builder().status(201).header("x-by", "ops");
    let stored = StoredResponse::new(paid.body(Bytes::from("paid")).unwrap());
    let doubt = jobs.doubts().unwrap().next().unwrap().unwrap();
    doubt
        .resolve(hapax::Resolution::Happened(stored.to_bytes().to_vec()))
        .unwrap();
    let reply = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text(), reply.header("x-by")),
        (201, "paid", Some("ops"))
    );
    assert!(reply.is_replay());
    assert_eq!(runs.count(), 1);
}

/// "It was declined" is an answer just like "it was paid".
#[tokio::test]
async fn an_operator_settles_a_doubt_with_a_response_that_says_no() {
    let jobs = namespace(Policy::at_most_once());
    let (app, runs) = answering(IdempotencyLayer::new(jobs.clone()).one_tenant(), || {
        Response::builder().status(500).body(Body::empty()).unwrap()
    });
    twice(&app).await;
    let declined = http::Response::builder().status(402);
    let stored = StoredResponse::new(declined.body(Bytes::from("declined")).unwrap());
    let doubt = jobs.doubts().unwrap().next().unwrap().unwrap();
    doubt
        .resolve(hapax::Resolution::Failed(stored.to_bytes().to_vec()))
        .unwrap();
    let reply = rig::post("/pay").key("k").send(&app).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (402, "declined"));
    assert!(reply.is_replay());
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn bytes_that_are_no_response_are_told_as_an_answer_that_was_not_kept() {
    let jobs = namespace(Policy::at_most_once());
    let (app, _) = answering(IdempotencyLayer::new(jobs.clone()).one_tenant(), || {
        Response::builder().status(500).body(Body::empty()).unwrap()
    });
    twice(&app).await;
    let doubt = jobs.doubts().unwrap().next().unwrap().unwrap();
    doubt
        .resolve(hapax::Resolution::Happened(b"by hand".to_vec()))
        .unwrap();
    let reply = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::GONE, "answer-not-kept".to_owned())
    );
}

#[tokio::test]
async fn a_request_that_failed_as_often_as_it_may_is_gone() {
    let jobs = namespace(Policy::at_least_once().max_attempts(2));
    let (app, runs) = answering(IdempotencyLayer::new(jobs).one_tenant(), || {
        Response::builder().status(503).body(Body::empty()).unwrap()
    });
    twice(&app).await;
    let reply = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::GONE, "failed-for-good".to_owned())
    );
    assert_eq!(reply.problem("retryable"), false);
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn refusals_can_be_given_another_form() {
    let layer =
        IdempotencyLayer::new(at_least_once())
            .one_tenant()
            .render(|refusal, mut answer| {
                answer
                    .headers_mut()
                    .insert("x-code", refusal.reason().code().parse().unwrap());
                answer.map(|_| Bytes::from("no"))
            });
    let (app, _) = answering(layer, || Response::new(Body::empty()));
    let reply = rig::post("/pay").send(&app).await;
    assert_eq!(
        (reply.text(), reply.header("x-code")),
        ("no", Some("missing-key"))
    );
    let Some(Outcome::Refused(refusal)) = reply.outcome else {
        panic!()
    };
    assert_eq!(refusal.reason(), Reason::MissingKey);
}

#[test]
fn any_response_comes_back_byte_for_byte() {
    let name = "[a-z][a-z0-9-]{0,20}".prop_filter("of one connection or secret", |name| {
        let left_out = [
            "te",
            "trailer",
            "upgrade",
            "connection",
            "keep-alive",
            "set-cookie",
            "content-length",
        ];
        !left_out.contains(&name.as_str())
    });
    let value = prop::collection::vec(
        prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8],
        0..40,
    );
    let headers = prop::collection::vec((name, value), 0..20);
    let body = prop::collection::vec(any::<u8>(), 0..3000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let is_final = |status: &u16| {
        let status = StatusCode::from_u16(*status).unwrap();
        hapax_http::by_status(status) == Disposition::Store
    };
    let status = (200..429_u16).prop_filter("a final one", is_final);
    proptest!(|(status in status, headers in headers, body in body)| {
        let made = (headers.clone(), body.clone());
        let (app, runs) = answering(IdempotencyLayer::new(at_least_once()).one_tenant(), move || {
            let mut answer = Response::builder().status(status);
            for (name, value) in &made.0 {
                answer = answer.header(name, value.as_slice());
            }
            answer.body(Body::from(made.1.clone())).unwrap()
        });
        let [first, second] = runtime.block_on(twice(&app));
        prop_assert_eq!(lines(&first), lines(&second));
        prop_assert_eq!((first.status, &first.body), (second.status, &second.body));
        prop_assert_eq!((second.body, second.status.as_u16()), (body, status));
        prop_assert_eq!(runs.count(), 1);
    });
}
