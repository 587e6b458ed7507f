//! Reads: one key, lists of keys, and facts about the store.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hapax::{ClaimOptions, Policy, Store};
use hapax_admin::AdminRouter;

use crate::rig::{World, claim, get, send};

#[tokio::test]
async fn a_key_is_shown_without_its_bytes_unless_they_are_asked_for() {
    let world = World::new();
    let options = ClaimOptions::new().metadata("request-7");
    let hapax::Claim::Granted(lease) = world.jobs.claim_with("user/7", options).unwrap() else {
        panic!("the key is free");
    };
    let token = lease.token();
    lease.complete("x".repeat(5000)).unwrap();
    let app = world.reading();

    let reply = get(&app, "/keys/jobs/user%2F7").await;
    let key = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(key["namespace"], "jobs");
    assert_eq!(key["key"], "user%2F7");
    assert_eq!(key["digest"], world.jobs.key_digest("user/7").to_string());
    assert_eq!(key["state"], "completed");
    assert_eq!(key["token"], token.to_string(), "a string: 63 bits");
    assert_eq!(key["attempt"], 1);
    assert_eq!(key["body"]["bytes"], 5000);
    assert!(!reply.text.contains("request-7") && !reply.text.contains("xxx"));

    let key = get(&app, "/keys/jobs/user%2F7?bytes=true").await.json();
    assert_eq!(key["metadata"]["text"], "request-7");
    assert_eq!(key["body"]["text"].as_str().unwrap().len(), 4096);
    assert_eq!(key["body"]["cut"], true);
    let short = AdminRouter::new(world.store.clone()).shown_bytes(3);
    let key = get(&short.into_router(), "/keys/jobs/user%2F7?bytes=true").await;
    assert_eq!(key.json()["body"]["text"], "xxx");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_a_code() {
    let world = World::new();
    let app = world.reading();
    let code = async |path: &str| get(&app, path).await.problem();
    assert_eq!(code("/keys/jobs/none").await, (404, "unknown-key".into()));
    let unknown = (404, "unknown-namespace".to_owned());
    assert_eq!(code("/keys/wrok/none").await, unknown);
    assert_eq!(code("/keys?namespace=wrok").await, unknown);
    assert_eq!(code("/in-doubt?namespace=wrok").await, unknown);
    let invalid = (400, "invalid".to_owned());
    for path in [
        "/keys?stat=failed",
        "/keys?state=stale",
        "/keys?limit=1001",
        "/keys?bytes=true",
        "/keys/jobs/a?limit=1",
        "/keys/jobs/%zz",
        "/in-progress?older_than=yesterday",
        "/in-progress?after=yesterday",
        "/in-doubt?after=7-8-9",
        "/keys?after=7-8",
        "/info?x",
    ] {
        assert_eq!(code(path).await, invalid, "{path}");
    }
    let post = Request::post("/keys").body(Body::empty()).unwrap();
    let reply = send(&app, post).await;
    assert_eq!(reply.problem(), (405, "method-not-allowed".into()));
    assert_eq!(reply.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn lists_have_the_keys_that_were_asked_for() {
    let world = World::new();
    claim(&world.jobs, "a-done").complete("").unwrap();
    claim(&world.jobs, "a-failed").fail("why").unwrap();
    world.doubt("p-doubted");
    world.pass(100);
    let _running = claim(&world.jobs, "b-running");
    world.pass(5);
    let _later = claim(&world.pay, "p-running");
    let app = world.reading();
    let keys = async |path: &str| get(&app, path).await.keys();

    let all = ["a-done", "a-failed", "p-doubted", "b-running", "p-running"];
    let mut met = keys("/keys").await;
    met.sort_unstable();
    assert_eq!(met, {
        let mut all = all;
        all.sort_unstable();
        all
    });
    assert_eq!(keys("/keys?state=failed").await, ["a-failed"]);
    let two = "/keys?state=completed&state=in_doubt&older_than=100s";
    assert_eq!(keys(two).await, ["a-done", "p-doubted"]);
    assert_eq!(keys("/keys?namespace=jobs&prefix=a-").await.len(), 2);
    assert_eq!(keys("/keys?newer_than=10").await.len(), 2);
    assert_eq!(keys("/in-progress").await, ["b-running", "p-running"]);
    assert_eq!(keys("/in-progress?older_than=5s").await, ["b-running"]);
    assert_eq!(keys("/in-progress?namespace=pay").await, ["p-running"]);
    assert_eq!(keys("/in-doubt").await, ["p-doubted"]);
    assert!(keys("/in-doubt?namespace=jobs").await.is_empty());
}

#[tokio::test]
async fn a_list_that_ends_early_says_so() {
    let world = World::new();
    let running: Vec<_> = (0..5).map(|n| claim(&world.jobs, format!("{n}"))).collect();
    for n in 0..5 {
        world.doubt(format!("doubt-{n}"));
    }
    let app = world.reading();
    for path in ["/keys", "/in-progress", "/in-doubt"] {
        let whole = get(&app, &format!("{path}?limit=10")).await.json();
        assert_eq!(
            (&whole["more"], &whole["stopped_by"]),
            (&false.into(), &().into())
        );
        let page = get(&app, &format!("{path}?limit=3")).await;
        assert_eq!(page.keys().len(), 3, "{path}");
        assert_eq!(page.json()["more"], true);
        assert_eq!(page.json()["stopped_by"], "limit");
    }
    let few = AdminRouter::new(world.store.clone()).rows(2).into_router();
    assert_eq!(get(&few, "/in-progress").await.keys().len(), 2);
    assert_eq!(get(&few, "/keys?limit=3").await.status, 400);
    drop(running);
}

/// All keys of a list, page by page, with a change after each page.
async fn pages(app: &Router, path: &str, mut between: impl FnMut()) -> Vec<String> {
    let (mut met, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(app, &format!("{path}{after}")).await;
        met.extend(page.keys());
        let page = page.json();
        assert_eq!(page["more"], !page["next"].is_null());
        let Some(next) = page["next"].as_str() else {
            return met;
        };
        after = format!("&after={next}");
        between();
    }
}

#[tokio::test]
async fn pages_have_each_key_in_doubt_once_however_many_there_are() {
    let world = World::new();
    let keys: Vec<String> = (0..3000).map(|n| format!("order-{n}")).collect();
    for (n, key) in keys.iter().enumerate() {
        world.doubt(key);
        world.pass(u64::from(n % 7 == 0));
    }
    let app = world.reading();
    let reads = || world.store.metrics().total("hapax_record_reads_total", &[]);
    let before = reads();
    let page = get(&app, "/in-doubt?limit=10").await;
    assert_eq!(page.keys(), keys[..10]);
    assert_eq!(reads() - before, 11, "one more tells that there are more");
    assert_eq!(page.json()["scanned"], 11);

    let mut rounds = 0;
    let between = || {
        rounds += 1;
        // Settles the next keys and a key that was shown, and adds another.
        for n in [rounds * 89, rounds * 89 + 3] {
            let doubt = world.pay.doubt_of(&keys[n]).unwrap();
            let unknown = hapax::Resolution::Failed(b"declined".to_vec());
            doubt.map(|doubt| doubt.resolve(unknown));
        }
        world.doubt(format!("later-{rounds}"));
    };
    let met = pages(&app, "/in-doubt?limit=97", between).await;
    let once: std::collections::BTreeSet<_> = met.iter().collect();
    assert_eq!(once.len(), met.len(), "none twice");
    for key in &keys {
        let settled = world.pay.doubt_of(key).unwrap().is_none();
        assert!(
            settled || once.contains(key),
            "{key} was there all the time"
        );
    }
    assert!(once.contains(&"later-1".to_owned()));
}

#[tokio::test]
async fn pages_have_each_running_key_once_the_longest_running_first() {
    let world = World::new();
    let mut leases = Vec::new();
    for n in 0..1300 {
        leases.push(claim(&world.jobs, format!("{n}")));
        world.pass(u64::from(n % 50 == 0));
    }
    let app = world.reading();
    let page = get(&app, "/in-progress?limit=10").await;
    assert_eq!(
        page.keys(),
        (0..10).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(page.json()["scanned"], 11, "the others are not copied");

    let mut rounds = 0;
    let between = || {
        let ended = leases.remove(0);
        ended.complete("").unwrap();
        rounds += 1;
        leases.push(claim(&world.jobs, format!("later-{rounds}")));
    };
    let met = pages(&app, "/in-progress?limit=100", between).await;
    let first: Vec<_> = (0..1300).map(|n| n.to_string()).collect();
    assert_eq!(met[..1300], first);
    let fields = "/in-progress?newer_than=10s&older_than=5s&prefix=1&limit=40";
    let met = pages(&app, fields, || {}).await;
    assert_eq!(
        met,
        get(
            &app,
            "/in-progress?newer_than=10s&older_than=5s&prefix=1&limit=1000"
        )
        .await
        .keys()
    );
    assert!(met.len() > 40, "several pages: {met:?}");
}

/// No key matches, and the time is up at once: each page says where the next one continues, and the
/// last one says that there are no more.
#[tokio::test]
async fn a_list_by_age_that_runs_out_of_time_goes_on_where_it_stopped() {
    let world = World::new();
    for n in 0..2000 {
        world.doubt(format!("order-{n}"));
    }
    let hurried = AdminRouter::new(world.store.clone()).scan_time(Duration::ZERO);
    let app = hurried.into_router();
    let page = get(&app, "/in-doubt?prefix=order-1999&limit=1")
        .await
        .json();
    if page["stopped_by"] == "time" {
        assert!(page["scanned"].as_u64().unwrap() < 2000 && page["next"].is_string());
    }
    let met = pages(&app, "/in-doubt?prefix=order-1999&limit=1", || {}).await;
    assert_eq!(met, ["order-1999"]);
}

/// Enough keys that scanning them takes longer than a turn of the runtime.
const MANY: usize = 30_000;

fn store_of_many() -> Store {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    let keys: Vec<_> = (0..MANY).map(|n| format!("job-{n}")).collect();
    for some in keys.chunks(8192) {
        jobs.insert_many(some).unwrap();
    }
    store
}

#[tokio::test]
async fn a_list_that_takes_too_long_answers_with_what_it_has() {
    let admin = AdminRouter::new(store_of_many()).scan_time(Duration::ZERO);
    let page = get(&admin.into_router(), "/keys?prefix=none").await.json();
    assert_eq!(page["more"], true);
    assert_eq!(page["stopped_by"], "time");
    assert!(page["scanned"].as_u64().unwrap() < MANY as u64);
}

/// On a single thread, blocking work would end before the second request is even read.
#[tokio::test(flavor = "current_thread")]
async fn reading_does_not_block_the_runtime() {
    let app = AdminRouter::new(store_of_many()).into_router();
    let ended = std::sync::Mutex::new(Vec::new());
    let slow = async {
        let page = get(&app, "/keys?prefix=none").await.json();
        assert_eq!(page["scanned"], MANY);
        ended.lock().unwrap().push("slow");
    };
    let quick = async {
        assert_eq!(get(&app, "/health/live").await.status, 200);
        ended.lock().unwrap().push("quick");
    };
    tokio::join!(slow, quick);
    assert_eq!(*ended.lock().unwrap(), ["quick", "slow"]);
}

#[tokio::test]
async fn the_store_says_what_it_is() {
    let world = World::new();
    world.jobs.insert("a").unwrap();
    let info = get(&world.reading(), "/info").await.json();
    assert_eq!(info["namespaces"], 2);
    assert_eq!(info["keys"], 1);
    assert!(info["log_kind"].is_null(), "it lies in memory");
    assert_eq!(info["operations"], serde_json::json!([]));
    let acting = world.acting().operations([hapax_admin::Operation::Resolve]);
    let info = get(&acting.into_router(), "/info").await.json();
    assert_eq!(info["operations"], serde_json::json!(["resolve"]));
    let listed = get(&world.reading(), "/namespaces").await.json();
    assert_eq!(listed["namespaces"][0]["name"], "jobs");
    assert_eq!(listed["namespaces"][0]["guarantee"], "at_least_once");
    assert_eq!(listed["namespaces"][1]["guarantee"], "at_most_once");
    assert_eq!(
        listed["namespaces"][1]["completed_retention_secs"],
        86_400.0
    );
}

#[tokio::test]
async fn every_option_in_force_is_told() {
    let world = World::new();
    let json = get(&world.reading(), "/options").await.json();
    let options = json["options"].as_array().unwrap();
    let find = |section: &str, name: &str| {
        let mut options = options.iter();
        let found = options.find(|one| one["section"] == section && one["name"] == name);
        found.unwrap_or_else(|| panic!("{section}.{name}"))
    };
    let lease = find("namespaces.pay", "lease");
    assert_eq!(
        (&lease["value"], &lease["source"]),
        (&"1m".into(), &"default".into())
    );
    assert!(lease["meaning"].as_str().unwrap().len() > 10);
    assert_eq!(find("limits", "key_bytes")["value"], "1 KiB");
}

#[tokio::test]
async fn it_can_be_mounted_anywhere_and_nothing_is_cached() {
    let world = World::new();
    world.doubt("a%b");
    let app = Router::new().nest("/admin/hapax", world.reading());
    for (path, status) in [
        ("/admin/hapax/keys/pay/a%25b", 200),
        ("/admin/hapax/in-doubt", 200),
        ("/admin/hapax/metrics", 200),
        ("/admin/hapax/health/ready", 200),
        ("/admin/hapax/keys/pay/none", 404),
        ("/admin/hapax/keys?x", 400),
    ] {
        let reply = get(&app, path).await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
}
