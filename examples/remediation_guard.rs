//! A guard for auto-remediation: every process that sees the alert fires, and the remediation runs once
//! per window of ten minutes.
//!
//! `cargo run --example remediation_guard`

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{Failure, Key, Namespace, Policy, Ran, RunError, Store};

const MINUTE: Duration = Duration::from_secs(60);
const WINDOW_MINUTES: u64 = 10;
const MONITORS: [&str; 3] = ["monitor-a", "monitor-b", "monitor-c"];
const ALERT: &str = "api: queue is stuck";

/// The effect: how often the service was restarted in each window.
type Restarts = BTreeMap<u64, u32>;

/// A monitor fires; true when its own remediation went through.
fn fire(
    guard: &Namespace,
    monitor: &str,
    minute: u64,
    restarts: &mut Restarts,
) -> Result<bool, Box<dyn Error>> {
    let window = minute / WINDOW_MINUTES;
    // The number of the window is in the key, so a window ends on time to the minute; retention
    // only has to outlast it.
    let key = Key::join((ALERT, window));
    let ran = guard.run_once(key, |run| {
        // In the third window the first try does not even reach the service.
        if window == 2 && run.attempt() == 1 {
            return Err(Failure::Retry("ssh: no route to host"));
        }
        *restarts.entry(window).or_default() += 1;
        Ok(format!("restarted by {monitor} in minute {minute}"))
    });
    match ran {
        Ok(Ran::Executed(done)) => {
            println!("window {window}: {done}");
            Ok(true)
        }
        Ok(Ran::Replayed(_) | Ran::InProgress(_)) => Ok(false),
        Err(RunError::Work(error)) => {
            println!("window {window}: {monitor} failed ({error}), the next one may try");
            Ok(false)
        }
        Ok(other) => Err(format!("{other:?}").into()),
        Err(error) => Err(error.into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    // Time moves only when the example moves it, and all work that is due is done before `advance` returns.
    let clock = ManualClock::new();
    let policy = Policy::at_least_once()
        .lease(MINUTE)
        .retention(MINUTE * u32::try_from(WINDOW_MINUTES)?);
    let open = || -> hapax::Result<(Store, Namespace)> {
        let store = Store::builder(dir.path().join("dedup"))
            .clock(&clock)
            .open()?;
        let guard = store.namespace("remediation", policy.clone())?;
        Ok((store, guard))
    };

    let (mut store, mut guard) = open()?;
    let (mut fired, mut executed, mut restarts) = (0, 0, Restarts::new());
    for minute in 0..60 {
        for monitor in MONITORS {
            fired += 1;
            executed += u32::from(fire(&guard, monitor, minute, &mut restarts)?);
        }
        if minute == 34 {
            // A new version of the monitors is rolled out in the middle of a window.
            store.close()?;
            drop((store, guard));
            (store, guard) = open()?;
            println!("window 3: the monitors were restarted");
        }
        clock.advance(MINUTE);
    }

    println!("{fired} alerts fired, {executed} remediations in 6 windows");
    if executed != 6 || restarts != (0..6).map(|window| (window, 1)).collect() {
        return Err("the service is restarted once per window".into());
    }
    clock.advance(MINUTE * 20);
    println!("keys remembered 20 minutes later: {}", store.stats().keys());
    if guard.contains(Key::join((ALERT, 5)))? {
        return Err("the last window is forgotten by now".into());
    }
    Ok(())
}
