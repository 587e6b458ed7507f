//! The page, in a real browser: what it shows of a store, and of a service that stops answering.
//!
//! The tests need chromium, in `PATH` or at `HAPAX_CHROMIUM`, and say so if it is missing. They write
//! pictures into the folder `HAPAX_SCREENSHOTS`, if it is set.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod chromium;
mod pictures;
mod site;
mod trouble;

use std::time::Duration;

use hapax::operator::Attribution;
use hapax::testing::ManualClock;
use hapax::{Claim, Lease, Limits, Namespace, Policy, Resolution, Store};
use serde_json::json;
use tempfile::TempDir;

use crate::chromium::{Browser, Seen, Visit};
use crate::site::{Site, snapshot_of};

/// Text that would run as markup, or break out of its attribute or element.
const HOSTILE: &str = "</script></style>\"'><img src=x onerror=document.title='ran'><script>document.title='ran'</script>\u{202e}";

/// The text as HTML escapes it.
fn as_text(hostile: &str) -> String {
    hostile
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

struct World {
    _dir: TempDir,
    clock: ManualClock,
    store: Store,
    jobs: Namespace,
}

fn claim(namespace: &Namespace, key: impl AsRef<[u8]>) -> Lease {
    match namespace.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("the key is free: {other:?}"),
    }
}

impl World {
    /// With a stuck key, a key in doubt, and a hostile name wherever a user chooses one.
    fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let builder = Store::builder(dir.path().join("store")).clock(&clock);
        let store = builder
            .limits(Limits::new().free_disk_bytes(4096))
            .open()
            .unwrap();
        let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
        let pay = store.namespace(HOSTILE, Policy::at_most_once()).unwrap();
        claim(&pay, format!("settled {HOSTILE}"))
            .doubt(HOSTILE)
            .unwrap();
        let by = Attribution::new("actor <b onclick=x>", "reason <b onclick=x>").unwrap();
        let happened = Resolution::Happened(b"<b onclick=x>".to_vec());
        let doubt = store.doubts().unwrap().next().unwrap().unwrap();
        store.operator(by).resolve(&doubt, happened).unwrap();
        claim(&pay, HOSTILE).doubt(HOSTILE).unwrap();
        claim(&jobs, "stuck").detach().unwrap();
        clock.advance(Duration::from_secs(600));
        claim(&jobs, "done").complete("receipt").unwrap();
        Self {
            _dir: dir,
            clock,
            store,
            jobs,
        }
    }

    /// Five seconds, 10 keys and 5 stored answers.
    fn work(&self, number: u64) {
        self.clock.advance(Duration::from_secs(5));
        for key in 0..10 {
            claim(&self.jobs, format!("{number} {key}"))
                .complete("")
                .unwrap();
        }
        for _ in 0..5 {
            assert!(matches!(
                self.jobs.claim("done").unwrap(),
                Claim::Completed(_)
            ));
        }
    }
}

fn assert_quiet(seen: &Seen) {
    assert_eq!(seen.console, Vec::<String>::new());
    let title = seen.text("health");
    assert!(!seen.dom.contains("<title>ran"), "{title}");
    assert!(!seen.dom.contains("<img"), "an element of a name");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_numbers_of_the_store() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = std::sync::Arc::new(World::new());
    let works = std::sync::Arc::clone(&world);
    let site = Site::open(&world.store, move |part, number| {
        if part == "glance.json" && number > 0 {
            works.work(number);
        }
        None
    });
    let site = site.await;
    let Some(seen) = browser.open(&Visit::of(site.url("glance"), 33)).await else {
        return;
    };
    assert_quiet(&seen);
    // The last answer may come too late to be shown.
    let granted = seen.row("claims", "granted")[2];
    let rounds = (granted.parse::<u64>().unwrap() - 4) / 10;
    let asked = site.asked();
    assert!(
        rounds >= 5 && (rounds + 1..=rounds + 2).contains(&asked),
        "{rounds}, {asked}"
    );
    assert_rates(&seen, rounds);
    assert_gauges(&seen, rounds);
    assert_attention(&seen);
}

/// After this many rounds of work.
fn assert_rates(seen: &Seen, rounds: u64) {
    assert_eq!(seen.text("claims-rate"), "3.0/s");
    assert_eq!(
        seen.row("claims", "granted"),
        ["2.0/s", "", &(4 + 10 * rounds).to_string()]
    );
    assert_eq!(
        seen.row("claims", "stored response"),
        ["1.0/s", "", &(5 * rounds).to_string()]
    );
    assert_eq!(seen.row("claims", "mismatch"), ["0/s", "", "0"]);
    assert_eq!(
        seen.row("settlements", "completed"),
        ["2.0/s", "", &(1 + 10 * rounds).to_string()]
    );
    let namespace = seen.row("namespaces", "jobs");
    assert_eq!(namespace[..4], ["3.0/s", "2.0/s", "1.0/s", "0/s"]);
    let hostile = seen.row("namespaces", &as_text(HOSTILE));
    assert_eq!(hostile[9..], ["2", "1"], "doubts, resolved");
    assert!(seen.dom.contains("<path d=\"M"), "curves are drawn");
}

fn assert_gauges(seen: &Seen, rounds: u64) {
    assert_eq!(seen.row("states", "in doubt"), ["1", ""]);
    assert_eq!(
        seen.row("states", "completed"),
        [&(2 + 10 * rounds).to_string(), ""]
    );
    assert_eq!(seen.text("in-doubt"), "1");
    let held_secs = 600 + 5 * rounds;
    assert_eq!(
        seen.text("oldest"),
        format!("{:.1} min", held_secs as f64 / 60.0)
    );
    assert_eq!(
        seen.row("running", "in progress for more than three lease times"),
        ["1"]
    );
    assert_eq!(seen.row("running", "lapsed, not claimed again"), ["1"]);
    assert_eq!(seen.row("disk", "floor of free space"), ["4.0 KiB"]);
    assert!(
        seen.text("store-bytes").ends_with("iB"),
        "{}",
        seen.text("store-bytes")
    );
    assert_eq!(
        seen.row("indicators", "5. Retries per operation")[2],
        "good"
    );
}

fn assert_attention(seen: &Seen) {
    assert_eq!(seen.text("health"), "Ready");
    assert!(seen.dom.contains("<title>hapax at a glance</title>"));
    let about = seen.text("about");
    assert!(
        about.starts_with("version ") && !about.contains("restarted"),
        "{about}"
    );
    assert!(
        seen.dom
            .contains("1 key in doubt: only a resolution ends a doubt - see <a href=\"in-doubt\">")
    );
    assert!(
        seen.dom
            .contains("1 key in progress for more than three lease times")
    );
    assert!(seen.dom.contains("hidden=\"\""), "the notice is not shown");
    assert!(
        !seen.dom.contains("onclick"),
        "neither actors nor reasons are shown"
    );
}

/// Replaces every text and every name of a snapshot with one that would run as markup.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_snapshot_says_is_text() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let mut hostile = snapshot_of(&world.store).await;
    for member in ["version", "log_kind"] {
        hostile[member] = json!(HOSTILE);
    }
    hostile["health"]["troubles"] = json!([{"code": HOSTILE, "detail": HOSTILE}]);
    hostile["namespaces"][0]["name"] = json!("__proto__");
    hostile["errors"] = json!({HOSTILE: 1});
    let site = Site::open(&world.store, move |part, number| {
        let mut snapshot = hostile.clone();
        snapshot["open_secs"] = json!(100 + 5 * number);
        snapshot["errors"][HOSTILE] = json!(1 + number);
        (part == "glance.json").then(|| site::json(&snapshot))
    });
    let site = site.await;
    let Some(seen) = browser.open(&Visit::of(site.url("glance"), 13)).await else {
        return;
    };
    assert_quiet(&seen);
    let text = as_text(HOSTILE);
    assert!(seen.text("about").contains(&text));
    assert!(seen.dom.contains(&format!("<li>{text}: {text}</li>")));
    assert!(seen.dom.contains(&format!(
        "1 claim ended in the error {text} in the last 5.0 s"
    )));
    assert_eq!(seen.row("namespaces", &text).len(), 11);
    assert_eq!(seen.row("namespaces", "__proto__").len(), 11);
    assert_eq!(seen.text("health"), "Ready, with troubles");
}

/// As Prometheus estimates them, of the last interval alone.
#[tokio::test(flavor = "multi_thread")]
async fn quantiles_are_estimated_from_buckets() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let first = snapshot_of(&world.store).await;
    let bounds = first["durations"]["bounds_secs"]
        .as_array()
        .unwrap()
        .clone();
    let bucket = |secs: f64| {
        bounds
            .iter()
            .position(|bound| *bound == json!(secs))
            .unwrap()
    };
    let (us20, ms2, over) = (bucket(20e-6), bucket(2e-3), bounds.len());
    let site = Site::open(&world.store, move |part, number| {
        let mut snapshot = first.clone();
        snapshot["open_secs"] = json!(100 + 10 * number);
        let durations = &mut snapshot["durations"];
        for (member, place, count) in [
            ("claims", us20, 90),
            ("claims", ms2, 10),
            ("syncs", ms2, 4),
            ("replays", over, 1),
        ] {
            // Calls before the first snapshot belong to no interval.
            durations[member][place] = json!(7000 + count * number);
        }
        durations["waits"][0] = json!(1000 - number);
        snapshot["expired"] = json!(1000 - number);
        snapshot["disk"]["appended_bytes"] = json!(15 * 1024 * 1024 * number);
        (part == "glance.json").then(|| site::json(&snapshot))
    });
    let site = site.await;
    let Some(seen) = browser.open(&Visit::of(site.url("glance"), 13)).await else {
        return;
    };
    assert_quiet(&seen);
    assert_eq!(seen.row("times", "claims"), ["15.6 us", "1.9 ms", "100"]);
    assert_eq!(seen.row("times", "syncs"), ["1.5 ms", "2.0 ms", "4"]);
    assert_eq!(
        seen.row("times", "claims with a stored answer"),
        ["over 50.0 s", "over 50.0 s", "1"]
    );
    assert_eq!(
        seen.row("times", "complete, fail, release, doubt"),
        ["-", "-", "0"]
    );
    assert_eq!(
        seen.row("times", "waits for a key"),
        ["-", "-", "-"],
        "a counter that falls"
    );
    assert_eq!(
        seen.row("running", "expired keys"),
        ["-"],
        "a counter that falls"
    );
    assert_eq!(seen.row("disk", "appended"), ["1.5 MiB/s"]);
}

/// A store without namespaces counted "NaN" claims. A password in the address of the page, as Basic
/// authentication allows, made the service unreachable: the address of the snapshot inherited it, and a
/// browser fetches no address with a password.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_shown_behind_a_password_in_the_address() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let store = Store::in_memory().open().unwrap();
    let site = Site::open(&store, |_, _| None).await;
    let url = site.url("").replacen("http://", "http://me:secret@", 1);
    let url = url.trim_end_matches('/').to_owned();
    let Some(seen) = browser.open(&Visit::of(url, 8)).await else {
        return;
    };
    assert_quiet(&seen);
    assert_eq!(seen.text("health"), "Ready");
    assert!(!seen.dom.contains("NaN") && !seen.dom.contains("undefined"));
    assert_eq!(seen.row("claims", "mismatch"), ["0/s", "", "0"]);
    assert_eq!(seen.row("settlements", "completed"), ["0/s", "", "0"]);
    assert_eq!(seen.row("indicators", "5. Retries per operation")[0], "-");
    assert!(seen.dom.contains("<li>Nothing.</li>"));
}
