//! What machines ask: metrics, liveness and readiness.

use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{ErrorKind, Limits, Policy, Store};
use hapax_admin::AdminRouter;

use crate::rig::{World, claim, get};

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let world = World::new();
    claim(&world.jobs, "a").complete("").unwrap();
    let reply = get(&world.reading(), "/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(reply.text, world.store.metrics().to_prometheus());
    assert!(
        reply
            .text
            .contains("hapax_claims_total{namespace=\"jobs\",outcome=\"granted\"} 1\n")
    );
}

#[tokio::test]
async fn a_store_that_serves_is_alive_and_ready() {
    let world = World::new();
    for path in ["/health/live", "/health/ready"] {
        let reply = get(&world.reading(), path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["ok"], true);
        assert_eq!(reply.json()["troubles"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn a_poisoned_store_is_neither_alive_nor_ready() {
    let world = World::new();
    let lease = claim(&world.jobs, "a");
    world.log.crash();
    lease.complete("").unwrap_err();
    for path in ["/health/live", "/health/ready"] {
        let reply = get(&world.reading(), path).await;
        assert_eq!(reply.status, 503, "{path}");
        assert_eq!(reply.json()["ok"], false);
        assert_eq!(reply.json()["troubles"][0]["code"], "poisoned");
    }
    let metrics = get(&world.reading(), "/metrics").await;
    assert_eq!(metrics.status, 200, "the scraper hears of it");
}

#[tokio::test]
async fn a_disk_below_its_floor_is_alive_and_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let builder = Store::builder(dir.path().join("store")).clock(&clock);
    let floor = Limits::new().free_disk_bytes(u64::MAX / 2);
    let store = builder.limits(floor).open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    clock.advance(Duration::from_secs(2));
    let refused = jobs.claim("a").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AtCapacity);
    let app = AdminRouter::new(store).into_router();
    assert_eq!(get(&app, "/health/live").await.status, 200);
    let ready = get(&app, "/health/ready").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.json()["troubles"][0]["code"], "disk_low");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let world = World::new();
    world.store.close().unwrap();
    let app = world.reading();
    let live = get(&app, "/health/live").await;
    assert_eq!(live.status, 503);
    assert_eq!(live.json()["troubles"][0]["code"], "closed");
    let read = get(&app, "/keys/jobs/a").await;
    assert_eq!(read.problem(), (503, "closed".into()));
}

#[tokio::test]
async fn probes_and_metrics_are_mounted_alone() {
    let world = World::new();
    world.doubt("order-42");
    let probes = AdminRouter::probes(world.store.clone());
    assert_eq!(get(&probes, "/health/ready").await.status, 200);
    let metrics = AdminRouter::metrics(world.store.clone());
    assert_eq!(get(&metrics, "/metrics").await.status, 200);
    for path in ["/in-doubt", "/keys", "/info", "/namespaces"] {
        assert_eq!(get(&probes, path).await.status, 404, "{path}");
        assert_eq!(get(&metrics, path).await.status, 404, "{path}");
    }
    assert_eq!(get(&probes, "/metrics").await.status, 404);
    assert_eq!(get(&metrics, "/health/live").await.status, 404);
}

/// An alert depends on this: a holder that renews for ever is overdue, too.
#[tokio::test]
async fn what_takes_over_three_leases_is_overdue() {
    let world = World::new();
    let renewing = claim(&world.jobs, "renewing");
    let overdue = || world.store.metrics().gauge("hapax_overdue_entries", &[]);
    for _ in 0..6 {
        world.pass(30);
        renewing.renew().unwrap();
    }
    assert_eq!(overdue(), Some(0.0));
    world.pass(1);
    assert_eq!(overdue(), Some(1.0));
    renewing.complete("").unwrap();
    assert_eq!(overdue(), Some(0.0));
}
