//! The look of the page: it fits its window, and pictures show it.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use hapax::{Claim, ClaimOptions, Limits, Namespace, Policy, Store};

use crate::chromium::{Browser, Seen, Visit};
use crate::site::{self, Site, text_of};
use crate::{World, claim};

/// The variable with the folder for pictures.
const FOLDER: &str = "HAPAX_SCREENSHOTS";

pub(crate) fn keep(name: &str, seen: &Seen) {
    assert!(seen.png.starts_with(b"\x89PNG"), "{name}");
    if let Some(folder) = env::var_os(FOLDER) {
        let place = PathBuf::from(folder).join(name);
        std::fs::write(place, &seen.png).unwrap();
    }
}

/// A phone shows the whole page in this many pixels.
const FRAME_HEIGHT: u32 = 3300;

/// The page in a frame, since a window of chromium is no narrower than 500 pixels.
fn framed(width: u32) -> String {
    format!(
        "<!doctype html><html><body style='margin:0'><p id='wide' hidden></p>
        <iframe src='glance' style='border:0;width:{width}px;height:{FRAME_HEIGHT}px'></iframe><script>
        const frame = document.querySelector('iframe');
        setTimeout(() => {{
          const inside = frame.contentDocument;
          const over = [...inside.querySelectorAll('main *')].filter((each) => {{
            const box = each.getBoundingClientRect();
            return box.right > {width} && !each.closest('.wide') && !each.closest('.unseen');
          }});
          document.getElementById('wide').textContent =
            inside.documentElement.scrollWidth + ': ' + over.map((each) => each.tagName).join(' ');
        }}, 12000);
        </script></body></html>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wider_than_the_page() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let page = text_of(&world.store, "glance").await;
    for width in [320, 400, 768, 1280] {
        let page = page.clone();
        let site = Site::open(&world.store, move |part, _| match part {
            "frame" => Some(site::html(framed(width))),
            "glance" => Some(site::html(page.clone())),
            _ => None,
        });
        let url = site.await.url("frame");
        let visit = Visit {
            width,
            ..Visit::of(url, 13)
        };
        let Some(seen) = browser.open(&visit).await else {
            return;
        };
        assert_quiet_frame(&seen);
        assert_eq!(
            seen.text("wide"),
            format!("{width}: "),
            "elements that stand over at {width}"
        );
    }
}

fn assert_quiet_frame(seen: &Seen) {
    assert_eq!(seen.console, Vec::<String>::new());
}

/// A store at work, on the clock of the machine; its numbers are no measurement.
struct Shop {
    store: Store,
    orders: Namespace,
    mails: Namespace,
}

impl Shop {
    fn open(path: PathBuf) -> Self {
        let limits = Limits::new()
            .running_keys(10_000)
            .free_disk_bytes(256 << 20);
        let store = Store::builder(path).limits(limits).open().unwrap();
        let orders = store.namespace("orders", Policy::at_most_once()).unwrap();
        let mails = store
            .namespace("welcome-mail", Policy::at_least_once())
            .unwrap();
        store
            .namespace("webhooks", Policy::at_least_once())
            .unwrap();
        for number in 0..3 {
            claim(&orders, format!("timed out {number}"))
                .doubt("the provider timed out")
                .unwrap();
            claim(&mails, format!("slow {number}")).detach().unwrap();
        }
        Self {
            store,
            orders,
            mails,
        }
    }

    fn work(&self, round: u64) {
        // Varies, so that curves have a shape.
        let more = 20 + 15 * (round % 7);
        for number in 0..more {
            let key = format!("{round} {number}");
            let lease = claim(&self.orders, &key);
            match number % 20 {
                0 => lease.fail("declined").map(|_| ()).unwrap(),
                _ => lease.complete("receipt").map(|_| ()).unwrap(),
            }
            if number % 3 == 0 {
                assert!(!matches!(
                    self.orders.claim(&key).unwrap(),
                    Claim::Granted(_)
                ));
            }
            claim(&self.mails, &key).complete("sent").unwrap();
        }
        let again = ClaimOptions::new();
        assert!(!matches!(
            self.mails.claim_with("slow 0", again).unwrap(),
            Claim::Granted(_)
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_store_at_work() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    // One picture shows that the page is drawn; all are made only when they are kept.
    let count = env::var_os(FOLDER).map_or(1, |_| usize::MAX);
    let looks = [
        ("light-1280", 1280, 1720, false),
        ("dark-1280", 1280, 1720, true),
        ("light-400", 400, FRAME_HEIGHT, false),
        ("dark-400", 400, FRAME_HEIGHT, true),
    ];
    for (name, width, height, dark) in looks.into_iter().take(count) {
        let shop = Arc::new(Shop::open(dir.path().join(name)));
        let page = text_of(&shop.store, "glance").await;
        let works = Arc::clone(&shop);
        let site = Site::open(&shop.store, move |part, number| {
            match part {
                "glance.json" => works.work(number),
                "frame" => return Some(site::html(framed(width))),
                "glance" if width < 500 => return Some(site::html(page.clone())),
                _ => {}
            }
            None
        });
        let part = if width < 500 { "frame" } else { "glance" };
        let url = site.await.url(part);
        let visit = Visit {
            width,
            height,
            dark,
            ..Visit::of(url, 100)
        };
        let Some(seen) = browser.open(&visit).await else {
            return;
        };
        assert_quiet_frame(&seen);
        keep(&format!("{name}.png"), &seen);
    }
}
