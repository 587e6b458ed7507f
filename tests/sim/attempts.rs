//! Attempts under `max_attempts`, across crashes: each attempt that was handed out counts. An
//! attempt that no caller received counts only where a process died with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hapax::limits::RETENTION_MAX;
use hapax::sim::{Actor, Ended, Fault, Faults, Report, Simulation, each_seed};
use hapax::{BatchClaim, Claim, ClaimOptions, Lease, Namespace, Policy, Result, Store};

const KEYS: u64 = 2;
const LEASE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    /// By key: the last attempt that was handed out, and how many processes had died by then.
    given: BTreeMap<u8, (u32, u32)>,
    /// Processes that died, or ended without a clean close: one grant of each key may have been on
    /// its way.
    deaths: u32,
    closed: u32,
    most: u32,
}

impl Counts {
    fn note(&mut self, key: u8, lease: &Lease) {
        let (last, deaths) = self.given.get(&key).copied().unwrap_or_default();
        let (attempt, since) = (lease.attempt(), self.deaths - deaths);
        assert!(
            (last + 1..=last + 1 + since).contains(&attempt),
            "key {key}: attempt {attempt} after {last}, with {since} deaths in between"
        );
        self.given.insert(key, (attempt, self.deaths));
        self.most = self.most.max(attempt);
    }
}

type Shared = Rc<RefCell<Counts>>;

fn namespace(store: &Store) -> Result<Namespace> {
    let policy = Policy::at_least_once().lease(LEASE).max_attempts(u32::MAX);
    store.namespace("jobs", policy.attempt_retention(RETENTION_MAX))
}

async fn run(actor: Actor, shared: Shared) -> Result<()> {
    let space = namespace(actor.store())?;
    let key = u8::try_from(actor.below(KEYS)).unwrap();
    let mut options = ClaimOptions::new();
    if actor.chance(60) {
        options = options.wait(Duration::from_millis(actor.below(15_000)));
    }
    let claim = if actor.chance(20) {
        match space.claim_many_async([[key]]).await?.remove(0) {
            BatchClaim::Claim(claim) => claim,
            BatchClaim::Refused(error) => return Err(error),
            BatchClaim::RepeatOf { .. } => unreachable!("there is one key"),
        }
    } else {
        space.claim_async([key], options).await?
    };
    let Claim::Granted(lease) = claim else {
        return Ok(());
    };
    shared.borrow_mut().note(key, &lease);
    for _ in 0..actor.below(3) {
        let time = Duration::from_millis(actor.below(8000));
        actor.sleep(time).await;
    }
    if actor.chance(70) {
        return lease.release_async("again").await;
    }
    if actor.chance(50) {
        actor.sleep(2 * LEASE).await;
    }
    Ok(())
}

fn simulate(seed: u64) -> (Report, Shared) {
    let counts = Shared::default();
    let (at_open, at_run) = (Rc::clone(&counts), Rc::clone(&counts));
    let rates = [
        (Fault::PowerCut, 60),
        (Fault::Kill, 60),
        (Fault::Restart, 200),
        (Fault::WriteError, 20),
        (Fault::SlowWrite, 200),
        (Fault::Cancel, 200),
        (Fault::LowDisk, 20),
    ];
    let faults = rates
        .into_iter()
        .fold(Faults::none(), |faults, (fault, rate)| {
            faults.rate(fault, rate)
        });
    let report = Simulation::new(seed)
        .steps(1500)
        .faults(faults)
        .at_open(move |_, ended| {
            let mut counts = at_open.borrow_mut();
            match ended {
                Ended::Never => {}
                Ended::Closed => counts.closed += 1,
                _ => counts.deaths += 1,
            }
        })
        .run(move |actor| run(actor, Rc::clone(&at_run)));
    (report, counts)
}

/// A store that closed while a waiter was granted used up an attempt that no caller got, and a process
/// that died at once used no attempt.
#[test]
fn each_attempt_that_was_given_counts_and_no_other_does() {
    let (mut closed, mut deaths, mut most) = (0, 0, 0);
    each_seed(40, |seed| {
        let (_, counts) = simulate(seed);
        let counts = counts.borrow();
        closed += counts.closed;
        deaths += counts.deaths;
        most = most.max(counts.most);
    });
    assert!(
        closed > 0 && deaths > 0 && most > 3,
        "{closed} {deaths} {most}"
    );
    println!("{closed} stores were closed and {deaths} died; a key had {most} attempts");
}
