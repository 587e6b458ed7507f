//! A job ledger: three cron nodes fire every job of a week's schedule, and each job runs once. One
//! of them fails twice and goes on from its checkpoint.
//!
//! `cargo run --example job_ledger`

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hapax::{ClaimOptions, Failure, Namespace, Policy, Ran, Run, RunError, Store};

const NODES: usize = 3;
const JOBS: [&str; 3] = ["backup", "invoices", "reindex"];
const NIGHTS: u32 = 7;
const STEPS: u8 = 3;
/// The run that fails after each of its first two steps.
const FLAKY: &str = "backup of night 4";

/// What the jobs did: how often each step of each run was carried out.
type Effects = Mutex<BTreeMap<(String, u8), u32>>;

/// The work: three steps, each stored as a checkpoint when it is done.
fn job(name: &str, run: &Run, effects: &Effects) -> Result<String, Failure<String>> {
    let done = run.last_checkpoint().first().copied().unwrap_or(0);
    if run.attempt() > 1 {
        let reason = String::from_utf8_lossy(run.last_reason());
        println!(
            "{name}: attempt {} goes on after step {done} ({reason})",
            run.attempt()
        );
    }
    for step in done + 1..=STEPS {
        let mut effects = effects.lock().map_err(|error| error.to_string())?;
        *effects.entry((name.to_owned(), step)).or_default() += 1;
        drop(effects);
        run.checkpoint([step]).map_err(|error| error.to_string())?;
        if name == FLAKY && u32::from(step) == run.attempt() && run.attempt() < 3 {
            return Err(Failure::Retry("the disk was busy".to_owned()));
        }
    }
    Ok(format!("{STEPS} steps in {} attempts", run.attempt()))
}

/// One node fires the whole schedule; it waits for a run that another node holds.
fn node(jobs: &Namespace, effects: &Effects, executed: &AtomicU64) -> Result<(), String> {
    for night in 1..=NIGHTS {
        for job_name in JOBS {
            let name = format!("{job_name} of night {night}");
            loop {
                let options = ClaimOptions::new().wait(Duration::from_secs(30));
                match jobs.run_once_with(&name, options, |run| job(&name, &run, effects)) {
                    Ok(Ran::Executed(_)) => {
                        executed.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    Ok(Ran::Replayed(_)) => break,
                    // The next tick of this cron, or of another one, tries again.
                    Err(RunError::Work(_)) => {}
                    Err(error) => return Err(format!("{name}: {error}")),
                    Ok(other) => return Err(format!("{name}: {other:?}")),
                }
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path().join("dedup"))?;
    // A fourth attempt would not come: the third release or lapse is a final failure.
    let jobs = store.namespace("jobs", Policy::at_least_once().max_attempts(3))?;
    let (effects, executed) = (Effects::default(), AtomicU64::new(0));

    thread::scope(|scope| {
        let start = || scope.spawn(|| node(&jobs, &effects, &executed));
        let nodes: Vec<_> = (0..NODES).map(|_| start()).collect();
        nodes.into_iter().try_for_each(|node| {
            node.join()
                .unwrap_or_else(|_| Err("a node panicked".to_owned()))
        })
    })?;

    let (effects, executed) = (effects.into_inner()?, executed.into_inner());
    let runs = JOBS.len() as u64 * u64::from(NIGHTS);
    let fired = runs * NODES as u64;
    println!("{fired} times fired by {NODES} nodes, {runs} runs in the schedule");
    println!("{executed} executed, {} steps done", effects.len());
    let each_once = effects.values().all(|times| *times == 1);
    if executed != runs || !each_once || effects.len() as u64 != runs * u64::from(STEPS) {
        return Err("each step of each run is done once".into());
    }
    let flaky = jobs.get(FLAKY)?.ok_or("the flaky run is in the ledger")?;
    println!(
        "{FLAKY}: {} after {} attempts",
        flaky.state(),
        flaky.attempt()
    );
    if flaky.attempt() != 3 {
        return Err("the flaky run takes three attempts".into());
    }
    Ok(())
}
