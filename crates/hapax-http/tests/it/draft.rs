//! The rules of draft-ietf-httpapi-idempotency-key-header-07 for servers, over a real socket, to the byte. The
//! numbers are the sections of the draft.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use hapax::{Policy, Store};
use hapax_http::{Disposition, IdempotencyLayer, KeyRule, KeySyntax, KeyUse, Reason};
use http::StatusCode;

use crate::rig::{self, Runs, at_least_once, serve, talk, waiting};

/// A service that counts its runs, and answers with their number.
fn counting(layer: IdempotencyLayer) -> (Router, Runs) {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    (app, runs)
}

fn request(key_line: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /pay HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{key_line}content-length: {length}\r\n\r\n{body}"
    )
}

const DRAFT: &str = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07#section-2.7";

/// A refusal, to the byte. `members` are the members of the problem after its code.
fn refusal(
    status: &str,
    more_headers: &str,
    reason: Reason,
    detail: &str,
    members: &str,
) -> String {
    let (title, code) = (reason.title(), reason.code());
    let number = status.split(' ').next().unwrap();
    let body = format!(
        r#"{{"type":"{DRAFT}","title":"{title}","status":{number},"detail":"{detail}","code":"{code}",{members}}}"#
    );
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         link: <{DRAFT}>; rel=\"describedby\"\r\n{more_headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Removes a header line from an answer, and returns its value.
fn cut(answer: &mut String, name: &str) -> String {
    let start = answer.find(&format!("{name}: ")).unwrap();
    let end = start + answer[start..].find("\r\n").unwrap();
    let value = answer[start + name.len() + 2..end].to_owned();
    answer.replace_range(start..end + 2, "");
    value
}

#[tokio::test]
async fn section_2_6_the_first_is_run_and_a_repeat_gets_its_answer() {
    let (app, runs) = counting(IdempotencyLayer::new(at_least_once()).one_tenant());
    let address = serve(app).await;
    let request = request(
        "idempotency-key: \"8e03978e-40d5-43dd-bc93-6894a57f9324\"\r\n",
        "{}",
    );
    let mut first = talk(address, &request).await;
    let expires = cut(&mut first, "idempotency-expires");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n";
    assert_eq!(
        first,
        format!(
            "{head}idempotency-stored: true\r\ncontent-length: 5\r\nconnection: close\r\n\r\nrun 1"
        )
    );
    assert!(expires.ends_with(" GMT"), "{expires}");
    let mut repeat = talk(address, &request).await;
    cut(&mut repeat, "idempotency-expires");
    assert_eq!(
        repeat,
        format!(
            "{head}idempotent-replayed: true\r\nidempotency-stored: true\r\ncontent-length: 5\r\nconnection: close\r\n\r\nrun 1"
        )
    );
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn section_2_1_the_key_is_a_string_and_its_bare_form_is_the_same_key() {
    let (app, runs) = counting(IdempotencyLayer::new(at_least_once()).one_tenant());
    let address = serve(app).await;
    for line in [
        "Idempotency-Key: \"order-17\"\r\n",
        "IDEMPOTENCY-KEY: order-17\r\n",
        "idempotency-key:    order-17  \r\n",
        "idempotency-key: \"order-17\";v=1\r\n",
    ] {
        assert!(
            talk(address, &request(line, ""))
                .await
                .ends_with("\r\n\r\nrun 1"),
            "{line}"
        );
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn section_2_1_in_strict_syntax_only_a_string_is_a_key() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .syntax(KeySyntax::Strict);
    let (app, runs) = counting(layer);
    let address = serve(app).await;
    let bare = talk(address, &request("idempotency-key: order-17\r\n", "")).await;
    assert!(bare.starts_with("HTTP/1.1 400 "), "{bare}");
    assert!(bare.contains("\"code\":\"malformed-key\""), "{bare}");
    let string = talk(address, &request("idempotency-key: \"order-17\"\r\n", "")).await;
    assert!(string.ends_with("run 1"), "{string}");
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn section_2_7_a_missing_key_is_400_and_links_to_the_documentation() {
    let (app, runs) = counting(IdempotencyLayer::new(at_least_once()).one_tenant());
    let address = serve(app).await;
    let answer = talk(address, &request("", "{}")).await;
    let detail = r#"send idempotency-key: \"<a UUID of your own>\""#;
    let wanted = refusal(
        "400 Bad Request",
        "",
        Reason::MissingKey,
        detail,
        r#""retryable":false"#,
    );
    assert_eq!(answer, wanted);
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn section_2_7_another_payload_under_the_key_is_422() {
    let (app, runs) = counting(IdempotencyLayer::new(at_least_once()).one_tenant());
    let address = serve(app).await;
    let line = "idempotency-key: \"k\"\r\n";
    talk(address, &request(line, "10 EUR")).await;
    let answer = talk(address, &request(line, "99 EUR")).await;
    let detail = "these parts differ: body; use a new key for a new request";
    let members = r#""retryable":false,"differs":["body"]"#;
    let wanted = refusal(
        "422 Unprocessable Entity",
        "",
        Reason::Mismatch,
        detail,
        members,
    );
    assert_eq!(answer, wanted);
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn section_2_7_a_retry_of_a_running_request_is_409_and_then_gets_its_answer() {
    let (app, meeting, runs) = waiting(&IdempotencyLayer::new(at_least_once()).one_tenant());
    let address = serve(app).await;
    let request = request("idempotency-key: \"k\"\r\n", "");
    let first = tokio::spawn({
        let request = request.clone();
        async move { talk(address, &request).await }
    });
    meeting.begun.notified().await;
    let answer = talk(address, &request).await;
    let wanted = refusal(
        "409 Conflict",
        "retry-after: 1\r\n",
        Reason::InProgress,
        "send the same request again, under the same key",
        r#""retryable":true,"retryAfterSeconds":1"#,
    );
    assert_eq!(answer, wanted);
    meeting.go_on.notify_one();
    assert!(first.await.unwrap().ends_with("run 1"));
    assert!(
        talk(address, &request).await.ends_with("run 1"),
        "nothing needed correcting"
    );
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn section_5_a_key_of_another_form_is_refused_before_anything_is_looked_up() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .key_rule(KeyRule::uuid());
    let (app, runs) = counting(layer);
    let address = serve(app).await;
    for key in ["1", "order-17", "8e03978e40d543ddbc936894a57f9324"] {
        let answer = talk(
            address,
            &request(&format!("idempotency-key: \"{key}\"\r\n"), ""),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("\"code\":\"refused-key\""), "{answer}");
        assert!(
            !answer.contains(&format!("\"{key}\"")),
            "keys are not told again"
        );
    }
    assert_eq!(runs.count(), 0);
    let spelled = |key: &str| request(&format!("idempotency-key: {key}\r\n"), "");
    let lower = spelled("8e03978e-40d5-43dd-bc93-6894a57f9324");
    let upper = spelled("8E03978E-40D5-43DD-BC93-6894A57F9324");
    assert!(talk(address, &lower).await.ends_with("run 1"));
    assert!(
        talk(address, &upper).await.ends_with("run 1"),
        "one UUID, one key"
    );
}

#[tokio::test]
async fn statuses_header_names_and_links_can_be_changed() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .key_header("paypal-request-id".parse().unwrap())
        .status(Reason::Mismatch, StatusCode::BAD_REQUEST)
        .reply_headers(
            "idempotency-replay".parse().unwrap(),
            "x-stored".parse().unwrap(),
            "x-expires".parse().unwrap(),
        )
        .documentation("https://pay.example/docs/keys");
    let (app, _) = counting(layer);
    let address = serve(app).await;
    let line = "PayPal-Request-Id: k\r\n";
    let first = talk(address, &request(line, "a")).await;
    assert!(
        first.contains("\r\nx-stored: true\r\nx-expires: "),
        "{first}"
    );
    let repeat = talk(address, &request(line, "a")).await;
    assert!(
        repeat.contains("\r\nidempotency-replay: true\r\n"),
        "{repeat}"
    );
    let other = talk(address, &request(line, "b")).await;
    assert!(other.starts_with("HTTP/1.1 400 "), "{other}");
    let link = "\r\nlink: <https://pay.example/docs/keys#mismatch>; rel=\"describedby\"\r\n";
    assert!(other.contains(link), "{other}");
    assert!(
        other.contains("\"type\":\"https://pay.example/docs/keys#mismatch\""),
        "{other}"
    );
}

#[tokio::test]
async fn a_key_can_be_optional_or_ignored_and_other_methods_are_not_covered() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let route = |key_use| {
        post(handler.clone())
            .put(handler.clone())
            .layer(layer.clone().key(key_use))
    };
    let app = Router::new()
        .route("/optional", route(KeyUse::Optional))
        .route("/ignored", route(KeyUse::Ignored));
    let send = |call: rig::Call| {
        let app = app.clone();
        async move { call.send(&app).await.text().to_owned() }
    };
    assert_eq!(send(rig::post("/optional")).await, "run 1");
    assert_eq!(send(rig::post("/optional")).await, "run 2");
    assert_eq!(send(rig::post("/optional").key("k")).await, "run 3");
    assert_eq!(send(rig::post("/optional").key("k")).await, "run 3");
    assert_eq!(send(rig::post("/ignored").key("k")).await, "run 4");
    assert_eq!(
        send(rig::post("/ignored").header("idempotency-key", "a, b")).await,
        "run 5",
        "not even read"
    );
    let put = || rig::call(http::Method::PUT, "/optional").key("k");
    assert_eq!(send(put()).await, "run 6");
    assert_eq!(send(put()).await, "run 7");
    let stats = layer.stats();
    assert_eq!(
        (stats.requests(), stats.unkeyed(), stats.uncovered()),
        (8, 2, 4)
    );
}

#[tokio::test]
async fn a_duplicate_waits_up_to_the_bound_and_then_gets_the_answer() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .wait(Duration::from_secs(600));
    let (app, meeting, runs) = waiting(&layer);
    let send = || {
        let app = app.clone();
        tokio::spawn(async move { rig::post("/pay").key("k").send(&app).await })
    };
    let first = send();
    meeting.begun.notified().await;
    let duplicates = [send(), send()];
    while layer.stats().requests() < 3 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert!(!duplicates.iter().any(|duplicate| duplicate.is_finished()));
    meeting.go_on.notify_one();
    assert!(!first.await.unwrap().is_replay());
    for duplicate in duplicates {
        let duplicate = duplicate.await.unwrap();
        assert_eq!((duplicate.text(), duplicate.is_replay()), ("run 1", true));
    }
    assert_eq!(runs.count(), 1);
}

/// The refusals that the draft does not have, to the byte.
#[tokio::test]
async fn every_other_refusal_is_a_problem_with_its_code() {
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    let jobs = store.namespace("http", Policy::at_most_once()).unwrap();
    let handler = |body: String| async move {
        assert_ne!(body, "panic", "planted");
        let omitted = Response::builder().status(201).extension(Disposition::Omit);
        omitted.body(Body::from(body)).unwrap()
    };
    let layer = IdempotencyLayer::new(jobs)
        .one_tenant()
        .request_bytes_max(8);
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    let address = serve(app).await;
    let send = |key: &str, body: &str| {
        let request = request(&format!("idempotency-key: {key}\r\n"), body);
        async move { talk(address, &request).await }
    };
    let detail = "the limit of this route is 8 bytes";
    let wanted = refusal(
        "413 Payload Too Large",
        "",
        Reason::BodyTooLarge,
        detail,
        NO,
    );
    assert_eq!(send("a", "nine char").await, wanted);
    let detail = "the handler ended without an answer; send the same request again, under the same key: the answer tells what happened to it";
    let wanted = refusal(
        "500 Internal Server Error",
        "",
        Reason::HandlerFailed,
        detail,
        YES,
    );
    assert_eq!(send("b", "panic").await, wanted);
    let detail = "it began, and its outcome is not known; it does not run again until that is resolved, \
                  and then the same request gets its answer";
    let later = r#""retryable":true,"retryAfterSeconds":60"#;
    let wanted = refusal(
        "409 Conflict",
        "retry-after: 60\r\n",
        Reason::InDoubt,
        detail,
        later,
    );
    assert_eq!(send("b", "panic").await, wanted);
    assert!(send("c", "once").await.ends_with("\r\n\r\nonce"));
    let detail = "the answer had status 201, and its body was not stored; look the result up, \
                  and do not send the request again";
    let wanted = refusal("410 Gone", "", Reason::AnswerNotKept, detail, NO);
    assert_eq!(send("c", "once").await, wanted);
    store.close().unwrap();
    let detail = "the store of this service cannot answer; try again later";
    let later = r#""retryable":true,"retryAfterSeconds":1"#;
    let wanted = refusal(
        "503 Service Unavailable",
        "retry-after: 1\r\n",
        Reason::Unavailable,
        detail,
        later,
    );
    assert_eq!(send("d", "late").await, wanted);
}

const NO: &str = r#""retryable":false"#;
const YES: &str = r#""retryable":true"#;

#[tokio::test]
async fn methods_and_the_times_of_retries_can_be_chosen() {
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    let jobs = store.namespace("http", Policy::at_most_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs)
        .one_tenant()
        .methods([http::Method::PUT])
        .doubt_retry_after(Duration::from_secs(7));
    let (waits, meeting, _) = waiting(&layer);
    let panics = || async {
        if true {
            panic!("planted")
        }
    };
    let app = Router::new()
        .route("/doubt", axum::routing::put(panics))
        .layer(layer.clone())
        .merge(waits);
    let post = rig::post("/pay").send(&app);
    meeting.go_on.notify_one();
    assert_eq!(
        post.await.text(),
        "run 1",
        "not covered, so no key is asked for"
    );
    let put = || rig::call(http::Method::PUT, "/doubt").key("k").send(&app);
    assert_eq!(put().await.code(), "handler-failed");
    assert_eq!(put().await.header("retry-after"), Some("7"));
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .retry_after(Duration::from_millis(2500));
    let (app, meeting, _) = waiting(&layer);
    let first = tokio::spawn({
        let app = app.clone();
        async move { rig::post("/pay").key("k").send(&app).await }
    });
    meeting.begun.notified().await;
    let busy = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(busy.header("retry-after"), Some("3"), "rounded up");
    assert_eq!(busy.problem("retryAfterSeconds"), 3);
    meeting.go_on.notify_one();
    assert_eq!(first.await.unwrap().text(), "run 1");
}
