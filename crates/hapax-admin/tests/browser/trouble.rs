//! Old numbers: the service stops answering, the store is closed or opened again, or the page is hidden.

use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::chromium::{Browser, Seen, Visit};
use crate::pictures::keep;
use crate::site::{self, Site, snapshot_of, text_of};
use crate::{HOSTILE, World, as_text, assert_quiet};

/// Opens a page that gets two snapshots, and then this answer.
async fn after_two(
    browser: &Browser,
    answer: impl Fn() -> Response + Send + Sync + 'static,
) -> Option<Seen> {
    let world = World::new();
    let site = Site::open(&world.store, move |part, number| {
        (part == "glance.json" && number > 1).then(&answer)
    });
    let seen = browser
        .open(&Visit::of(site.await.url("glance"), 60))
        .await?;
    let is_network = |line: &&String| line.contains("Failed to load resource");
    let other: Vec<_> = seen
        .console
        .iter()
        .filter(|line| !is_network(line))
        .collect();
    assert_eq!(other, Vec::<&String>::new());
    Some(seen)
}

fn assert_old(seen: &Seen, why: &str) {
    let said = seen.text("why");
    assert!(said.starts_with("These numbers are old, from "), "{said}");
    assert!(
        said.contains(". Since ") && said.ends_with(&format!(": {why}.")),
        "{said}"
    );
    assert_eq!(seen.text("health"), "unknown; last: ready");
    assert!(seen.dom.contains("<html lang=\"en\" class=\"old\">"));
    assert!(
        seen.dom
            .contains("<title>? no fresh numbers - hapax</title>")
    );
    assert_eq!(
        seen.text("in-doubt"),
        "1",
        "the old numbers stay on the page"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_answers_something_else_makes_the_numbers_old() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let detail = format!(r#"{{"detail": {}}}"#, json!(HOSTILE));
    let problem = move || {
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        (StatusCode::SERVICE_UNAVAILABLE, kind, detail.clone()).into_response()
    };
    let hostile = as_text(HOSTILE);
    let again = "sign in again and reload this page";
    let cases: [(Box<dyn Fn() -> Response + Send + Sync>, String); 5] = [
        (
            Box::new(|| StatusCode::UNAUTHORIZED.into_response()),
            format!("the service answers 401: {again}"),
        ),
        (
            Box::new(|| (StatusCode::SEE_OTHER, [(LOCATION, "/login")]).into_response()),
            format!("the service redirects: {again}"),
        ),
        (
            Box::new(problem),
            format!("the service answers 503: {hostile}"),
        ),
        (
            Box::new(|| site::html("<p>welcome</p>".into())),
            "the service sent no snapshot".into(),
        ),
        (
            Box::new(|| ([(CONTENT_TYPE, "application/json")], "{").into_response()),
            "the service sent no snapshot".into(),
        ),
    ];
    for (answer, why) in cases {
        let Some(seen) = after_two(&browser, answer).await else {
            return;
        };
        assert_old(&seen, &why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_makes_the_numbers_old() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let server = Arc::new(OnceLock::<tokio::task::AbortHandle>::new());
    let stopped = Arc::clone(&server);
    let site = Site::open(&world.store, move |part, number| {
        if part == "glance.json" && number == 2 {
            stopped.get().unwrap().abort();
        }
        None
    });
    let site = site.await;
    server.set(site.server()).unwrap();
    let Some(seen) = browser.open(&Visit::of(site.url("glance"), 60)).await else {
        return;
    };
    assert_old(&seen, "the service cannot be reached");
    keep("old.png", &seen);
    assert_eq!(site.asked(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_says_so() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let store = world.store.clone();
    let site = Site::open(&world.store, move |part, number| {
        if part == "glance.json" && number == 2 {
            store.close().unwrap();
        }
        None
    });
    let Some(seen) = browser.open(&Visit::of(site.await.url("glance"), 18)).await else {
        return;
    };
    assert_quiet(&seen);
    assert_eq!(seen.text("health"), "Not alive: open the store again");
    assert!(
        seen.dom
            .contains("<title>! Not alive: open the store again - hapax</title>")
    );
    let said = seen.text("why");
    assert!(
        said.starts_with("The store is closed in this process, at least since "),
        "{said}"
    );
    assert!(seen.dom.contains("<li>closed: closed</li>"));
}

/// Its store is opened again after two snapshots.
async fn reopened() -> Site {
    let world = World::new();
    let mut first = snapshot_of(&world.store).await;
    first["namespaces"][1]["name"] = json!("gone");
    let answer = move |part: &str, number: u64| {
        let mut snapshot = first.clone();
        // The second opening has greater times and counters from its first snapshot on.
        let (run, secs, granted) = match number {
            0..=1 => ("one", 50 + 5 * number, 1000 + 50 * number),
            _ => ("two", 500 + 5 * number, 1100 + 10 * number),
        };
        snapshot["run"] = json!(run);
        snapshot["open_secs"] = json!(secs);
        snapshot["claims"]["granted"] = json!(granted);
        snapshot["namespaces"][0]["claims"]["granted"] = json!(granted);
        if number > 1 {
            snapshot["namespaces"].as_array_mut().unwrap().pop();
        }
        (part == "glance.json").then(|| site::json(&snapshot))
    };
    Site::open(&world.store, answer).await
}

/// Rates are not computed from counters of two openings.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_opened_again_counts_from_zero() {
    let Some(browser) = Browser::find() else {
        return;
    };
    for (secs, rate) in [(3, "10.0/s"), (8, "-"), (13, "2.0/s")] {
        let site = reopened().await;
        let visit = Visit::of(site.url("glance"), secs);
        let Some(seen) = browser.open(&visit).await else {
            return;
        };
        assert_quiet(&seen);
        let granted = seen.row("claims", "granted");
        assert_eq!(granted[0], rate, "after {secs} s");
        let namespace = seen.row("namespaces", "jobs");
        assert_eq!(namespace[..2], [rate, rate], "after {secs} s");
        let is_restarted = secs > 3;
        let about = seen.text("about");
        assert_eq!(
            about.contains("rates restarted at "),
            is_restarted,
            "{about}"
        );
        let has_old = seen.dom.contains(">gone</th>");
        assert_eq!(has_old, !is_restarted, "a namespace of the opening before");
    }
}

/// A page in the background costs the service nothing, and is up to date when it is shown again.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_asks_for_nothing() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let hides = "<head><script>
        let hidden = false;
        Object.defineProperty(document, 'hidden', { get: () => hidden });
        const turn = (to) => { hidden = to; document.dispatchEvent(new Event('visibilitychange')); };
        setTimeout(turn, 8000, true);
        setTimeout(turn, 608000, false);
        </script>";
    let page = text_of(&world.store, "glance")
        .await
        .replacen("<head>", hides, 1);
    let site = Site::open(&world.store, move |part, _| {
        (part == "glance").then(|| site::html(page.clone()))
    });
    let site = site.await;
    let Some(seen) = browser.open(&Visit::of(site.url("glance"), 615)).await else {
        return;
    };
    assert_quiet(&seen);
    assert!(
        (4..=6).contains(&site.asked()),
        "asked {} times",
        site.asked()
    );
    let age = seen.text("age");
    assert!(
        age.ends_with("just now") || age.ends_with(" s ago"),
        "{age}"
    );
}
