//! One run: open, settle what the last run left, deliver until all is settled, check.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hapax::{ErrorKind, Guarantee, Namespace, Policy, Store};
use tempfile::TempDir;

use crate::Failure;
use crate::args::Args;
use crate::check::{self, Verdict};
use crate::consumer::{Consumers, Tally};
use crate::deliveries::{self, Delivery, Event};
use crate::handler::Handler;
use crate::latency::now;
use crate::ledger::Ledger;
use crate::progress::{Progress, say};
use crate::reconciler::{Settled, reconcile};
use crate::report;

/// The name of the ledger in the directory.
const LEDGER: &str = "ledger.jsonl";

/// How often a delivery is delivered again before the sender gives up.
const AGAIN_MAX: u32 = 10;

/// A process that was killed may need a moment until its lock is gone.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The ledger never forgets, so the store must not either for as long as a demonstration runs.
const RETENTION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a run did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) input: String,
    pub(crate) events: usize,
    pub(crate) tally: Tally,
    /// Deliveries that were not the first of their copy.
    pub(crate) delivered_again: u64,
    /// Copies that were still unsettled when the sender gave up.
    pub(crate) given_up: u64,
    pub(crate) effects: u64,
    pub(crate) waits: u64,
    /// Doubts that the run before had left.
    pub(crate) inherited: Settled,
    /// Doubts of this run.
    pub(crate) settled: Settled,
    pub(crate) elapsed: Duration,
    pub(crate) verdict: Verdict,
}

/// Where the store and the ledger lie.
#[derive(Debug)]
enum Place {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Place {
    fn open(args: &Args) -> Result<Self, Failure> {
        match &args.dir {
            Some(dir) => {
                fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
                Ok(Self::Kept(dir.clone()))
            }
            None => Ok(Self::Temporary(
                tempfile::Builder::new()
                    .prefix("hapax-webhooks-")
                    .tempdir()?,
            )),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }

    /// Leaves everything where it is, so that one can see what went wrong.
    fn keep(self) {
        if let Self::Temporary(dir) = self {
            say(&format!("kept: {}", dir.keep().display()));
        }
    }
}

/// Runs, reports, and says whether the check holds.
pub(crate) fn run(args: &Args) -> Result<bool, Failure> {
    let (input, events) = deliveries::load(args)?;
    let place = Place::open(args)?;
    say(&report::headline(args, &input, events.len()));
    if let Place::Kept(dir) = &place {
        say(&format!("store and ledger in {}", dir.display()));
    }
    let outcome = match deliver_all(args, input, &events, place.path()) {
        Ok(outcome) => outcome,
        Err(error) => {
            if place.path().join(LEDGER).exists() {
                place.keep();
            }
            return Err(error);
        }
    };
    let holds = outcome.verdict.holds(args.guarantee);
    let report = if args.json {
        report::json(args, &outcome)
    } else {
        report::text(args, &outcome)
    };
    if !holds {
        place.keep();
    }
    io::stdout().write_all(report.as_bytes())?;
    Ok(holds)
}

fn deliver_all(
    args: &Args,
    input: String,
    events: &[Event],
    dir: &Path,
) -> Result<Outcome, Failure> {
    let store = Store::builder(dir.join("store"))
        .durability(args.durability)
        .wait_for_lock(LOCK_WAIT)
        .open()?;
    let namespace = namespace(&store, args.guarantee)?;
    let ledger = Ledger::open(dir.join(LEDGER))?;
    let inherited = reconcile(&store, &ledger)?;
    if inherited.all() > 0 {
        say(&report::inherited(inherited));
    }
    let deliveries = deliveries::plan(events, args);
    let progress = Progress::new(u64::try_from(deliveries.len())?);
    let handler = Handler {
        ledger: &ledger,
        seed: args.seed,
        rate: args.rate,
    };
    let consumers = Consumers {
        namespace: &namespace,
        handler: &handler,
        events,
        progress: &progress,
        threads: args.threads,
    };
    let started = now();
    let rounds = rounds(&store, &ledger, &consumers, deliveries);
    let elapsed = started.elapsed();
    progress.finish();
    let rounds = rounds?;
    let outcome = Outcome {
        input,
        events: events.len(),
        delivered_again: rounds.delivered_again,
        given_up: rounds.given_up,
        tally: rounds.tally,
        effects: ledger.appended(),
        waits: store.metrics().total("hapax_waits_total", &[]),
        inherited,
        settled: rounds.settled,
        elapsed,
        verdict: check_all(&namespace, events, &ledger)?,
    };
    store.close()?;
    Ok(outcome)
}

fn namespace(store: &Store, guarantee: Guarantee) -> Result<Namespace, Failure> {
    let policy = match guarantee {
        Guarantee::AtLeastOnce => Policy::at_least_once(),
        _ => Policy::at_most_once(),
    };
    let policy = policy.retention(RETENTION).attempt_retention(RETENTION);
    let namespace = store.namespace("webhooks", policy);
    namespace.map_err(|error| match error.kind() {
        ErrorKind::PolicyConflict => {
            "the directory was begun with the other guarantee: go on with that one, or name a new --dir".into()
        }
        _ => error.into(),
    })
}

#[derive(Debug, Default)]
struct Rounds {
    tally: Tally,
    settled: Settled,
    delivered_again: u64,
    given_up: u64,
}

/// Delivers, and delivers again what was not acknowledged, as a broker would.
///
/// Between two rounds no handler runs, so that is when doubts are settled.
fn rounds(
    store: &Store,
    ledger: &Ledger,
    consumers: &Consumers<'_>,
    mut deliveries: Vec<Delivery>,
) -> Result<Rounds, Failure> {
    let mut rounds = Rounds::default();
    while !deliveries.is_empty() {
        let unsettled = consumers.round(&deliveries, &mut rounds.tally)?;
        rounds.settled += reconcile(store, ledger)?;
        deliveries.clear();
        for mut delivery in unsettled {
            delivery.again += 1;
            if delivery.again <= AGAIN_MAX {
                deliveries.push(delivery);
            } else {
                rounds.given_up += 1;
            }
        }
        let again = u64::try_from(deliveries.len())?;
        rounds.delivered_again += again;
        consumers.progress.expect_more(again);
    }
    Ok(rounds)
}

fn check_all(namespace: &Namespace, events: &[Event], ledger: &Ledger) -> Result<Verdict, Failure> {
    let ids = events.iter().map(|event| event.id.as_str());
    check::check(namespace, ids, &ledger.entries()?)
}
