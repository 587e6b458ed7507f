//! The page without a browser: its headers, and that its parts fit together.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hapax::metrics::MetricValue;
use hapax::testing::ManualClock;
use hapax::{Claim, Limits, Policy, Store};
use hapax_admin::AdminRouter;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rig::{Reply, World, claim, get};

async fn page() -> Reply {
    let reply = get(&World::new().reading(), "/glance").await;
    assert_eq!(reply.status, 200);
    reply
}

/// The text between these two, which appear once.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let (_, rest) = text.split_once(open).unwrap();
    let (inside, after) = rest.split_once(close).unwrap();
    assert!(!after.contains(open), "{open} is there once");
    inside
}

fn script(page: &Reply) -> &str {
    between(&page.text, "<script>", "</script>")
}

#[tokio::test]
async fn the_policy_lets_in_nothing_but_the_bytes_that_are_served() {
    let page = page().await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let style = between(&page.text, "<style>", "</style>");
    let expected = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(script(&page)),
        hash(style)
    );
    assert_eq!(page.header("content-security-policy"), expected);
    assert!(page.text.is_ascii() && !page.text.contains('\r'));
}

#[tokio::test]
async fn the_page_loads_nothing_and_makes_no_markup() {
    let page = page().await;
    // The name of an XML namespace, which no browser fetches.
    let text = page.text.replace("http://www.w3.org/2000/svg", "");
    for slip in [
        "//www",
        "http:",
        "https:",
        "src=",
        "@import",
        "url(",
        "<link",
        "<img",
        "<iframe",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        " style=",
        " onclick",
        "localStorage",
    ] {
        assert!(!text.contains(slip), "{slip}");
    }
    let links = text.split("href=\"").skip(1);
    let links: Vec<_> = links.filter_map(|link| link.split('"').next()).collect();
    assert!(links.len() > 6, "{links:?}");
    let app = World::new().reading();
    for link in links {
        assert!(
            !link.starts_with('/'),
            "relative to where it is mounted: {link}"
        );
        assert_eq!(get(&app, &format!("/{link}")).await.status, 200, "{link}");
    }
}

/// Wherever the router is mounted, a browser follows the answer to the page.
#[tokio::test]
async fn the_front_leads_to_the_page() {
    for (prefix, asked, leads_to) in [
        ("", "/", "./glance"),
        ("/hapax", "/hapax", "./hapax/glance"),
        ("/a/b", "/a/b", "./b/glance"),
        ("/a/", "/a/", "./glance"),
        (
            "/{who}",
            "/javascript:alert(1)",
            "./javascript:alert(1)/glance",
        ),
    ] {
        let admin = World::new().reading();
        let app = if prefix.is_empty() {
            admin
        } else {
            Router::new().nest(prefix, admin)
        };
        let reply = get(&app, asked).await;
        assert_eq!(reply.status, 303, "{prefix}");
        assert_eq!(reply.header("location"), leads_to, "{prefix}");
        let page = format!("{}/glance", asked.trim_end_matches('/'));
        assert_eq!(get(&app, &page).await.status, 200, "{page}");
    }
}

#[tokio::test]
async fn nothing_is_asked_of_the_page_in_its_query() {
    let app = World::new().reading();
    for path in ["/glance?a=b", "/glance.json?limit=1"] {
        assert_eq!(get(&app, path).await.problem(), (400, "invalid".into()));
    }
    for alone in [AdminRouter::probes, AdminRouter::metrics] {
        let alone = alone(World::new().store.clone());
        for path in ["/", "/glance", "/glance.json"] {
            assert_eq!(get(&alone, path).await.status, 404, "{path}");
        }
    }
}

/// A store on disk that has seen some of everything.
fn busy_store(path: &std::path::Path, clock: &ManualClock) -> Store {
    let limits = Limits::new().live_keys(6).free_disk_bytes(1);
    let store = Store::builder(path)
        .clock(clock)
        .limits(limits)
        .open()
        .unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    claim(&pay, "done").complete("receipt").unwrap();
    claim(&pay, "doubted").doubt("timed out").unwrap();
    claim(&pay, "failed").fail("declined").unwrap();
    // The first claim after a step of the timers is timed.
    clock.advance(Duration::from_secs(1));
    assert!(matches!(pay.claim("done").unwrap(), Claim::Completed(_)));
    claim(&jobs, "again").release("later").unwrap();
    drop(claim(&jobs, "again"));
    claim(&jobs, "long").detach().unwrap();
    clock.advance(Duration::from_secs(200));
    claim(&jobs, "short").detach().unwrap();
    jobs.claim("one too many").unwrap_err();
    store
}

/// The sum of a metric, over the series with these labels.
fn of_metrics(store: &Store, name: &str, labels: &[(&str, &str)]) -> u64 {
    let metrics = store.metrics();
    let gauge = metrics.gauge(name, labels);
    gauge.map_or_else(
        || metrics.total(name, labels),
        |gauge| gauge.to_string().parse().unwrap(),
    )
}

type Labels = [(&'static str, &'static str)];

/// Members of a snapshot that are single numbers, each with its metric and labels.
const SINGLE: &[(&str, &str, &Labels)] = &[
    ("/running/overdue", "hapax_overdue_entries", &[]),
    ("/running/lapsed", "hapax_lapsed_entries", &[]),
    (
        "/limits/live_keys",
        "hapax_limit",
        &[("limit", "live_keys")],
    ),
    (
        "/disk/floor_bytes",
        "hapax_limit",
        &[("limit", "free_disk_bytes")],
    ),
    ("/disk/store_bytes", "hapax_disk_bytes", &[]),
    ("/disk/journal_bytes", "hapax_journal_bytes", &[]),
    ("/disk/segments", "hapax_journal_segments", &[]),
    ("/disk/live_records", "hapax_journal_live_records", &[]),
    (
        "/disk/appended_bytes",
        "hapax_journal_appended_bytes_total",
        &[],
    ),
    ("/disk/syncs", "hapax_syncs_total", &[]),
    ("/namespaces_total", "hapax_namespaces", &[]),
    (
        "/namespaces/0/doubts",
        "hapax_doubts_total",
        &[("namespace", "pay")],
    ),
    (
        "/namespaces/1/dropped",
        "hapax_dropped_leases_total",
        &[("namespace", "jobs")],
    ),
    (
        "/namespaces/1/lapses",
        "hapax_lapses_total",
        &[("namespace", "jobs")],
    ),
    (
        "/namespaces/1/reruns",
        "hapax_reruns_total",
        &[("namespace", "jobs")],
    ),
];

#[tokio::test]
async fn a_snapshot_says_what_the_metrics_say() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let store = busy_store(&dir.path().join("store"), &clock);
    let app = AdminRouter::new(store.clone()).into_router();
    let reply = get(&app, "/glance.json").await;
    assert_eq!(reply.header("content-type"), "application/json");
    let snapshot = reply.json();
    for (member, name, label) in [
        ("/states", "hapax_entries", "state"),
        ("/claims", "hapax_claims_total", "outcome"),
        ("/errors", "hapax_claim_errors_total", "kind"),
        ("/settlements", "hapax_settlements_total", "outcome"),
    ] {
        let numbers = snapshot.pointer(member).unwrap().as_object().unwrap();
        assert!(!numbers.is_empty(), "{member}");
        for (value, number) in numbers {
            assert_eq!(
                *number,
                of_metrics(&store, name, &[(label, value)]),
                "{member}/{value}"
            );
        }
    }
    for (member, name, labels) in SINGLE {
        let number = snapshot.pointer(member);
        assert_eq!(
            number,
            Some(&json!(of_metrics(&store, name, labels))),
            "{member}"
        );
    }
    assert_eq!(snapshot["running"]["oldest_secs"], 200.0);
    assert_eq!(snapshot["states"]["in_doubt"], 1);
    assert_eq!(snapshot["errors"], json!({"at_capacity": 1}));
    assert_eq!(snapshot["namespaces"][0]["name"], "pay");
    assert_eq!(snapshot["namespaces"][0]["claims"]["completed"], 1);
    assert!(snapshot["disk"]["free_bytes"].as_u64().unwrap() > 1);
}

#[tokio::test]
async fn a_snapshot_has_the_buckets_of_the_histograms() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let store = busy_store(&dir.path().join("store"), &clock);
    let durations = &get(
        &AdminRouter::new(store.clone()).into_router(),
        "/glance.json",
    )
    .await
    .json()["durations"];
    let bounds = durations["bounds_secs"].as_array().unwrap();
    assert!(bounds.is_sorted_by(|one, next| one.as_f64() < next.as_f64()));
    let metrics = store.metrics();
    for (member, name, outcomes) in [
        ("claims", "hapax_claim_duration_seconds", None),
        (
            "replays",
            "hapax_claim_duration_seconds",
            Some(["completed", "failed"]),
        ),
        ("settlements", "hapax_settle_duration_seconds", None),
        ("syncs", "hapax_sync_duration_seconds", None),
        ("waits", "hapax_wait_duration_seconds", None),
    ] {
        let mut expected = vec![0; bounds.len() + 1];
        for series in metrics.family(name).unwrap().series() {
            let is_asked =
                |(_, value): (_, &str)| outcomes.is_none_or(|some| some.contains(&value));
            let MetricValue::Histogram(seen) = series.value() else {
                panic!("{name}")
            };
            if outcomes.is_none() || series.labels().any(is_asked) {
                let below: Vec<u64> = seen.buckets().map(|(_, below)| below).collect();
                for (place, sum) in expected.iter_mut().enumerate() {
                    *sum += below[place] - place.checked_sub(1).map_or(0, |before| below[before]);
                }
            }
        }
        assert_eq!(durations[member], json!(expected), "{member}");
    }
    assert_ne!(durations["replays"], json!(vec![0; bounds.len() + 1]));
}

#[tokio::test]
async fn each_router_has_a_run_of_its_own() {
    let world = World::new();
    let (one, other) = (world.reading(), world.reading());
    let mut runs = Vec::new();
    for app in [&one, &one, &other] {
        runs.push(get(app, "/glance.json").await.json()["run"].clone());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

/// A snapshot contains nothing that a client chose, or that an operator wrote.
#[tokio::test]
async fn a_snapshot_has_no_key() {
    let world = World::new();
    world.doubt("order-4711");
    claim(&world.jobs, "order-4712")
        .release("reason-4713")
        .unwrap();
    let snapshot = get(&world.reading(), "/glance.json").await;
    assert!(!snapshot.text.contains("471"), "{snapshot:?}");
}

#[tokio::test]
async fn a_closed_and_a_poisoned_store_have_a_snapshot() {
    let world = World::new();
    claim(&world.jobs, "a").complete("").unwrap();
    world.store.close().unwrap();
    let closed = get(&world.reading(), "/glance.json").await.json();
    assert_eq!(closed["health"]["alive"], false);
    assert_eq!(closed["health"]["troubles"][0]["code"], "closed");
    assert_eq!(closed["claims"]["granted"], 1);

    let world = World::new();
    let lease = claim(&world.jobs, "a");
    world.log.crash();
    lease.complete("").unwrap_err();
    let poisoned = get(&world.reading(), "/glance.json").await.json();
    assert_eq!(poisoned["health"]["ready"], false);
    assert_eq!(poisoned["health"]["troubles"][0]["code"], "poisoned");
}

/// Namespaces over the cap share one line.
#[tokio::test]
async fn namespaces_over_the_cap_share_a_line() {
    let world = World::new();
    for number in 0..70 {
        let name = format!("n{number}");
        world
            .store
            .namespace(&name, Policy::at_least_once())
            .unwrap();
    }
    let last = world.store.open_namespace("n69").unwrap();
    claim(&last, "a").complete("").unwrap();
    let snapshot = get(&world.reading(), "/glance.json").await.json();
    let spaces = snapshot["namespaces"].as_array().unwrap();
    assert_eq!(spaces.len(), 65);
    assert_eq!(snapshot["namespaces_total"], 72);
    assert_eq!(spaces[64]["name"], "other");
    assert_eq!(spaces[64]["claims"]["granted"], 1);
}

/// The words of these characters that follow one of `heads`.
fn names(text: &str, heads: &[&str], is_part: fn(char) -> bool) -> BTreeSet<String> {
    let found = heads.iter().flat_map(|head| {
        text.match_indices(head).filter_map(|(at, _)| {
            let is_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || "_.".contains(c));
            let rest = &text[at + head.len()..];
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (!is_word && end > 0).then(|| rest[..end].to_owned())
        })
    });
    found.collect()
}

#[tokio::test]
async fn the_script_finds_what_the_page_has() {
    let page = page().await;
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let ids = names(&page.text, &["id=\""], is_id);
    let heads: Vec<_> = ids.iter().filter(|id| id.starts_with("h-")).collect();
    let labels = names(&page.text, &["aria-labelledby=\""], is_id);
    assert_eq!(heads, labels.iter().collect::<Vec<_>>());
    let script = script(&page);
    let heads = [
        "at(\"",
        "say(\"",
        "row(\"",
        "tile(\"",
        "clear(\"",
        "showCounters(\"",
    ];
    let used = names(script, &heads, is_id);
    let made: BTreeSet<_> = ids.into_iter().filter(|id| !id.starts_with("h-")).collect();
    assert_eq!(used, made);
}

/// Whether a snapshot has a path such as `disk.free_bytes`.
fn has(snapshot: &Value, path: &str) -> bool {
    // Members of JavaScript lists.
    let own = ["length", "map", "some", "at"];
    let parts = path.split('.').filter(|part| !own.contains(part));
    let mut found = Some(snapshot);
    for part in parts {
        found = found.and_then(|inside| inside.get(part));
    }
    found.is_some()
}

/// Every path from the root to a leaf; lists and maps by label are leaves.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let by_label = ["states", "claims", "errors", "settlements"];
    match value.as_object() {
        Some(members) if !by_label.contains(&path) => {
            for (name, inside) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(inside, &format!("{path}{dot}{name}"), found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[tokio::test]
async fn the_script_reads_what_a_snapshot_has_and_all_of_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let store = busy_store(&dir.path().join("store"), &clock);
    let snapshot = get(&AdminRouter::new(store).into_router(), "/glance.json")
        .await
        .json();
    let page = page().await;
    let script = script(&page);
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    let read = names(script, &["now.", "of.", "before.", "snapshot."], is_path);
    let faults: Vec<_> = read.iter().filter(|path| !has(&snapshot, path)).collect();
    assert!(faults.is_empty(), "a snapshot has no {faults:?}");
    let mut made = BTreeSet::new();
    leaves(&snapshot, "", &mut made);
    let unread = made
        .iter()
        .filter(|path| !read.iter().any(|read| read.starts_with(path.as_str())));
    assert_eq!(unread.collect::<Vec<_>>(), Vec::<&String>::new());

    let space = &snapshot["namespaces"][0];
    let read = names(script, &["space."], is_path);
    let faults: Vec<_> = read.iter().filter(|path| !has(space, path)).collect();
    assert!(faults.is_empty(), "a namespace has no {faults:?}");
    let unread = space.as_object().unwrap().keys();
    let unread = unread.filter(|member| {
        !read
            .iter()
            .any(|read| read.split('.').next() == Some(member))
    });
    assert_eq!(unread.collect::<Vec<_>>(), Vec::<&String>::new());

    for member in ["claims", "states", "settlements"] {
        for name in snapshot[member].as_object().unwrap().keys() {
            assert!(
                script.contains(&format!("[\"{name}\", \"")),
                "{member} shows no {name}"
            );
        }
    }
}
