//! Traps that other systems fell into, by their number in our list. Other files test some of them: T-10, T-19 and
//! T-27 are in `life` and `scope`, T-18 and T-12 in `replay`, T-24 to T-26 in `fingerprint`.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use hapax_http::{Disposition, IdempotencyLayer};

use crate::rig::{self, Runs, at_least_once, waiting};

/// T-05: read, run and write without a claim. T-11: a lost race that is answered without a second look-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_concurrent_duplicates_one_runs_and_all_get_its_answer() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .wait(std::time::Duration::from_secs(60));
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move {
        tokio::task::yield_now().await;
        format!("run {}", counted.one_more())
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    for round in 0..50 {
        let key = format!("key {round}");
        let duplicates: Vec<_> = (0..16)
            .map(|_| {
                let (app, key) = (app.clone(), key.clone());
                tokio::spawn(async move { rig::post("/pay").key(&key).send(&app).await })
            })
            .collect();
        for duplicate in duplicates {
            assert_eq!(
                duplicate.await.unwrap().text(),
                format!("run {}", round + 1)
            );
        }
    }
    assert_eq!((runs.count(), layer.stats().replayed()), (50, 50 * 15));
}

/// T-04: a waiter that gives up removes the claim of the owner.
#[tokio::test]
async fn a_waiter_that_gives_up_leaves_the_first_request_alone() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .wait(std::time::Duration::from_millis(5));
    let (app, meeting, runs) = waiting(&layer);
    let send = || {
        let app = app.clone();
        tokio::spawn(async move { rig::post("/pay").key("k").send(&app).await })
    };
    let first = send();
    meeting.begun.notified().await;
    assert_eq!(
        send().await.unwrap().code(),
        "in-progress",
        "after its wait"
    );
    let dropped = send();
    tokio::task::yield_now().await;
    dropped.abort();
    assert_eq!(send().await.unwrap().code(), "in-progress");
    meeting.go_on.notify_one();
    assert_eq!(first.await.unwrap().text(), "run 1");
    assert_eq!(send().await.unwrap().text(), "run 1");
    assert_eq!(runs.count(), 1);
}

/// T-06: a request that is marked as done before it is handled, so that a failure loses it.
#[tokio::test]
async fn a_failed_request_can_be_sent_again() {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move {
        let status = if counted.one_more() < 3 { 503 } else { 201 };
        Response::builder()
            .status(status)
            .body(Body::empty())
            .unwrap()
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(IdempotencyLayer::new(at_least_once()).one_tenant());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(rig::post("/pay").key("k").send(&app).await.status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 201, 201]);
    assert_eq!(runs.count(), 3);
}

/// T-02, T-03: a later failure of a key neither overwrites nor deletes its stored answer.
#[tokio::test]
async fn a_stored_answer_stays() {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move {
        let answer = format!("run {}", counted.one_more());
        let broken = Response::builder().extension(Disposition::Store);
        broken.body(Body::from(answer)).unwrap()
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(IdempotencyLayer::new(at_least_once()).one_tenant());
    for body in ["a", "b", "a", "c", "a"] {
        let reply = rig::post("/pay").key("k").body(body).send(&app).await;
        if body == "a" {
            assert_eq!(reply.text(), "run 1");
        } else {
            assert_eq!(reply.code(), "mismatch");
        }
    }
}

/// T-07: keys with the same prefix, or the same short hash, are different keys.
#[tokio::test]
async fn every_byte_of_a_key_counts() {
    let app = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(IdempotencyLayer::new(at_least_once()).one_tenant());
    for length in 0..255 {
        let key = "k".repeat(length) + "x";
        assert!(
            !rig::post("/pay").key(&key).send(&app).await.is_replay(),
            "{length}"
        );
    }
}

/// T-20, T-21: a duplicate learns when to come back. T-23: a replay differs from a run.
#[tokio::test]
async fn a_replay_is_no_second_success_in_the_counts() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(layer.clone());
    for _ in 0..5 {
        rig::post("/pay").key("k").send(&app).await;
    }
    let stats = layer.stats();
    assert_eq!(
        (stats.executed(), stats.replayed(), stats.runs_stored()),
        (1, 4, 1)
    );
}

/// no text of the layer shows a key.
#[tokio::test]
async fn keys_are_in_no_debug_text_and_no_answer() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(layer.clone());
    let secret = "4242-4242-4242-4242";
    for (body, header) in [("a", secret), ("b", secret), ("a", "4242-4242, 4242")] {
        let reply = rig::post("/pay")
            .header("idempotency-key", header)
            .body(body)
            .send(&app)
            .await;
        let shown = format!("{:?} {:?} {}", reply.outcome, reply.headers, reply.text());
        assert!(!shown.contains("4242"), "{shown}");
    }
    assert!(!format!("{layer:?} {:?}", layer.stats()).contains("4242"));
}
