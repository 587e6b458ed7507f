//! `stat`: counts the keys of a store, once or repeatedly.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use hapax::maintenance::Survey;
use hapax::scan::KeyFilter;
use hapax::{ErrorKind, KeyState, Store};

use crate::input::store_args::StoreArgs;
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::output::table::Table;
use crate::stopwatch;
use crate::trouble::{Result, Trouble};
use crate::verbs::verb::Verb;

/// The options of `stat`.
#[derive(Debug, Args)]
pub(crate) struct StatArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Keep printing lines, without counts by state, which need the store
    #[arg(long)]
    watch: bool,

    /// With --watch: the time between two lines
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = time::parse_span)]
    interval: Duration,

    /// With --watch: stop after this many lines
    #[arg(long, value_name = "TIMES")]
    count: Option<u64>,
}

impl Verb for StatArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        if self.watch {
            return watch(self, screen);
        }
        let survey = Store::survey(&self.store.store)?;
        let counts = count(self, &survey)?;
        let by_namespace = counts.as_ref().map(Counts::rows).unwrap_or_default();
        let total = counts.as_ref().map(Counts::total);
        let row = numbers(row(&survey), total.as_ref());
        let by_namespace_json: Vec<_> = by_namespace.iter().map(Row::value).collect();
        screen.record(&row.only_json("by_namespace", by_namespace_json))?;
        if counts.is_none() {
            screen.note("another process holds the store, so counts by state are unknown here: ask that process for its metrics");
        }
        if !screen.is_json() && !by_namespace.is_empty() {
            screen.line("")?;
            screen.list(by_namespace.into_iter().map(Ok))?;
        }
        Ok(Outcome::Done)
    }
}

fn watch(args: &StatArgs, screen: &mut Screen) -> Result<Outcome> {
    let mut table = Table::default();
    let mut shown = 0;
    loop {
        let survey = Store::survey(&args.store.store)?;
        screen.tick(&mut table, &row(&survey))?;
        if screen.is_unread() {
            return Ok(Outcome::Done);
        }
        shown += 1;
        if args.count.is_some_and(|count| shown >= count) {
            return Ok(Outcome::Done);
        }
        stopwatch::wait(args.interval);
    }
}

fn row(survey: &Survey) -> Row {
    Row::new()
        .moment("store_time", Some(survey.store_time()))
        .optional_number("held_by_pid", survey.holder().map(u64::from))
        .number("epoch", u64::from(survey.epoch()))
        .number("durable_frame", survey.durable_frame())
        .number("segments", survey.segments().len() as u64)
        .size("disk_bytes", survey.disk_bytes())
        .size("free_bytes", survey.free_bytes())
}

/// Every state, in the order of columns.
const STATES: [(&str, KeyState); 5] = [
    ("in_progress", KeyState::InProgress),
    ("completed", KeyState::Completed),
    ("failed", KeyState::Failed),
    ("in_doubt", KeyState::InDoubt),
    ("released", KeyState::Released),
];

/// Keys by state.
type ByState = [u64; STATES.len()];

fn numbers(row: Row, counts: Option<&ByState>) -> Row {
    let keys = counts.map(|counts| counts.iter().sum());
    let states = STATES.iter().enumerate();
    states.fold(row.optional_number("keys", keys), |row, (at, (name, _))| {
        row.optional_number(name, counts.map(|counts| counts[at]))
    })
}

/// Keys by namespace and state.
struct Counts(BTreeMap<String, ByState>);

impl Counts {
    fn total(&self) -> ByState {
        let mut total = ByState::default();
        for counts in self.0.values() {
            for (sum, count) in total.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        total
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.0.iter();
        rows.map(|(name, counts)| numbers(Row::new().text("namespace", name), Some(counts)))
            .collect()
    }
}

/// Counts the keys; `None` if another process holds the store.
fn count(args: &StatArgs, survey: &Survey) -> Result<Option<Counts>> {
    if survey.holder().is_some() {
        return Ok(None);
    }
    let store = match args.store.read() {
        Ok(store) => store,
        Err(Trouble::Store(error)) if error.kind() == ErrorKind::Locked => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    let mut bar = ProgressBar::new("counting");
    let total = store.stats().keys();
    let names = store.namespaces().into_iter();
    let mut counts: BTreeMap<String, ByState> =
        names.map(|name| (name, ByState::default())).collect();
    for (counted, info) in store.scan(KeyFilter::new())?.enumerate() {
        let info = info?;
        let state = STATES.iter().position(|(_, state)| *state == info.state());
        if let (Some(at), Some(counts)) = (state, counts.get_mut(info.namespace())) {
            counts[at] += 1;
        }
        bar.keys(counted as u64, total);
    }
    Ok(Some(Counts(counts)))
}
