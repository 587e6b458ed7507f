//! One run after the other, each on its own store.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hapax::{Namespace, Policy, Store};

use crate::Failure;
use crate::args::{Args, Form, Scenario};
use crate::events::{self, Expiring, Lasted};
use crate::histogram::instant;
use crate::load::{Load, Measured, Phases};
use crate::row::Row;

/// Called with the rows of each run.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(&[Row]) -> Result<(), Failure>;

/// Nothing is dropped in the first two minutes after open.
const GRACE: Duration = Duration::from_secs(121);

/// A store, and the measurements on it.
#[derive(Debug)]
struct Run {
    scenario: Scenario,
    form: Form,
    callers: u64,
    store: Store,
    on: Namespace,
    opened: Instant,
}

pub(crate) fn run(args: &Args, dir: &Path, tell: Tell<'_>) -> Result<(), Failure> {
    for scenario in &args.scenarios {
        let all = args
            .forms
            .iter()
            .flat_map(|form| args.callers.iter().map(|callers| (*form, *callers)));
        let open = |(form, callers)| Run::open(args, dir, *scenario, form, callers);
        if matches!(scenario, Scenario::Steady | Scenario::Growth) {
            for each in all {
                tell(&open(each)?.measure(args, dir)?)?;
            }
        } else {
            // All of them now, so that their two minutes pass at the same time.
            let runs: Vec<Run> = all.map(open).collect::<Result<_, _>>()?;
            for run in runs {
                run.wait();
                tell(&run.measure(args, dir)?)?;
            }
        }
    }
    Ok(())
}

impl Run {
    fn open(
        args: &Args,
        dir: &Path,
        scenario: Scenario,
        form: Form,
        callers: u64,
    ) -> Result<Self, Failure> {
        let path = dir.join(folder(scenario, form, callers));
        if path.exists() {
            let text = format!("{} is there already: name another --dir", path.display());
            return Err(text.into());
        }
        let store = Store::builder(path)
            .durability(args.durability)
            .log_kind(args.log)
            .open()?;
        let on = store.namespace("latency", Policy::at_least_once())?;
        Ok(Self {
            scenario,
            form,
            callers,
            store,
            on,
            opened: instant(),
        })
    }

    fn wait(&self) {
        let until = self.opened + GRACE;
        let mut now = instant();
        while now < until {
            std::thread::park_timeout(until - now);
            now = instant();
        }
    }

    fn measure(self, args: &Args, dir: &Path) -> Result<Vec<Row>, Failure> {
        let phases = Phases::default();
        let load = Load {
            on: &self.on,
            form: self.form,
            callers: self.callers,
            rate: args.rate_of(self.callers),
            phases: &phases,
        };
        let (quiet, mut keys) = (args.quiet, args.keys);
        if self.scenario == Scenario::Compaction {
            keys = keys.max(events::keys_to_carry(load.rate, quiet)?);
        }
        let (measured, lasted) = match self.scenario {
            scenario @ (Scenario::Steady | Scenario::Growth) => {
                load.run(|| events::steady_then_growth(scenario, quiet, keys, &self.on, &phases))?
            }
            scenario => {
                let expiring = Expiring::fill(scenario, quiet, keys, &self.store, &self.on)?;
                load.run(|| expiring.watch(scenario, quiet, &self.store, &phases))?
            }
        };
        let rows = self.rows(&measured, lasted);
        let path = dir.join(folder(self.scenario, self.form, self.callers));
        self.store.close()?;
        fs::remove_dir_all(path)?;
        Ok(rows)
    }

    fn rows(&self, measured: &Measured, lasted: Lasted) -> Vec<Row> {
        let row = |during, tally, lasted| {
            Row::new(
                (self.scenario.name(), self.form.name(), self.callers),
                during,
                tally,
                lasted,
            )
        };
        let quiet = row("quiet", &measured.quiet, lasted.quiet);
        if self.scenario == Scenario::Steady {
            return vec![quiet];
        }
        let event = row(self.scenario.name(), &measured.event, lasted.event).after(&quiet);
        vec![quiet, event]
    }
}

fn folder(scenario: Scenario, form: Form, callers: u64) -> String {
    format!("{}-{}-{callers}", scenario.name(), form.name())
}
