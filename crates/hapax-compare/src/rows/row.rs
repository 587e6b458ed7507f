//! A row: a measurement that any engine can take, and its figures.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Durability, Engine, Entry, Kind, Place, Role};
use crate::outcome::Outcome;
use crate::rows::load::{Done, Load};

/// What a figure counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// As in the table and in the files.
    pub text: &'static str,
    /// A rate, and not a cost.
    pub more_is_better: bool,
}

/// Keys in a second.
pub const KEYS: Unit = Unit {
    text: "keys/s",
    more_is_better: true,
};
/// Pairs of claim and completion in a second.
pub const PAIRS: Unit = Unit {
    text: "pairs/s",
    more_is_better: true,
};
/// Synced records in a second.
pub const RECORDS: Unit = Unit {
    text: "records/s",
    more_is_better: true,
};
/// Microseconds of a call.
pub const MICROS: Unit = Unit {
    text: "us",
    more_is_better: false,
};
/// Microseconds for each key.
pub const KEY_MICROS: Unit = Unit {
    text: "us/key",
    more_is_better: false,
};
/// Seconds.
pub const SECONDS: Unit = Unit {
    text: "s",
    more_is_better: false,
};
/// Bytes for each key.
pub const KEY_BYTES: Unit = Unit {
    text: "B/key",
    more_is_better: false,
};
/// Bytes for each pair.
pub const PAIR_BYTES: Unit = Unit {
    text: "B/pair",
    more_is_better: false,
};
/// One number over another of its kind.
pub const RATIO: Unit = Unit {
    text: "x",
    more_is_better: false,
};

/// What hapax is held against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Against {
    /// The best of its peers that were measured, in memory only left out.
    BestPeer,
    /// The best of those that run in the caller's process, and have no more callers than hapax.
    BestEmbedded,
    /// One engine, by its name.
    Engine(&'static str),
    /// A number with no relation to others.
    Nothing,
}

/// A number to reach: a rate of at least this many times another, or a cost of at most this.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// What hapax is held against.
    pub against: Against,
    /// How many times.
    pub factor: f64,
    /// It is judged only if hapax had at least this many keys.
    pub from_keys: u64,
}

impl Goal {
    /// A goal at any size.
    #[must_use]
    pub const fn new(against: Against, factor: f64) -> Self {
        Self {
            against,
            factor,
            from_keys: 0,
        }
    }
}

/// One figure of a row.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// As in the files.
    pub name: &'static str,
    /// As in the table.
    pub title: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it should be.
    pub goals: &'static [Goal],
}

/// A measurement.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As on the command line.
    pub name: &'static str,
    /// The figures that it gives.
    pub figures: &'static [Figure],
    /// What it asks of a write.
    pub durability: Durability,
    /// Why an engine does not take part; `None` when it does.
    pub unfit: fn(&Entry) -> Option<&'static str>,
    /// Takes it, in its own process and directory.
    pub run: fn(&Task) -> Outcome<Measured>,
}

impl Row {
    /// Why an engine has no figure in this row; `None` when it can have one.
    #[must_use]
    pub fn without(&self, entry: &Entry) -> Option<String> {
        if !entry.only.is_empty() && !entry.only.contains(&self.name) {
            return Some("not a row of it".to_owned());
        }
        let nothing_durable = self.durability == Durability::Sync && entry.kind == Kind::Memory;
        if nothing_durable {
            return Some("no part of it is durable".to_owned());
        }
        (entry.missing)().or_else(|| (self.unfit)(entry).map(str::to_owned))
    }
}

/// Every engine takes part that can.
#[must_use]
pub fn all_fit(_: &Entry) -> Option<&'static str> {
    None
}

/// Only what writes its files in its own process takes part.
#[must_use]
pub fn embedded(entry: &Entry) -> Option<&'static str> {
    match entry.kind {
        Kind::Embedded => None,
        Kind::Memory => Some("it writes nothing"),
        Kind::Server => Some("not measured across processes"),
    }
}

/// How large the measurements are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Scale {
    /// Keys of the rows that count rates.
    pub keys: u64,
    /// Keys that are settled before a row that needs some.
    pub fill: u64,
    /// Keys of the row on memory.
    pub memory: u64,
    /// Keys of the row on recovery.
    pub recovery: u64,
    /// Seconds after which a slower engine is stopped; hapax and the limit get four times as many.
    pub seconds: f64,
}

impl Scale {
    /// For figures that count.
    pub const FULL: Self = Self {
        keys: 10_000_000,
        fill: 4_000_000,
        memory: 20_000_000,
        recovery: 5_000_000,
        seconds: 5.0,
    };
    /// To see that it runs.
    pub const QUICK: Self = Self {
        keys: 100_000,
        fill: 20_000,
        memory: 100_000,
        recovery: 20_000,
        seconds: 0.04,
    };
}

/// One measurement of one engine.
#[derive(Debug)]
pub struct Task {
    /// The engine.
    pub entry: &'static Entry,
    /// Where its data goes.
    pub place: Place,
    /// How large it is.
    pub scale: Scale,
    /// This program, for a row that needs a process that dies.
    pub program: PathBuf,
}

impl Task {
    /// Opens the engine.
    ///
    /// # Errors
    /// Every error of the engine.
    pub fn open(&self) -> Outcome<Box<dyn Engine>> {
        (self.entry.open)(&self.place)
    }

    /// How long the timed part may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let patience = if self.entry.role == Role::Peer {
            1.0
        } else {
            4.0
        };
        Duration::from_secs_f64(self.scale.seconds * patience)
    }

    /// New keys for this many callers.
    #[must_use]
    pub fn load(&self, callers: usize, chunk: u64) -> Load {
        Load {
            callers,
            first: 0,
            keys: self.scale.keys,
            chunk,
            limit: self.limit(),
        }
    }

    /// Settles keys `0..`, as many as asked for or as the time allows; returns how many.
    ///
    /// # Errors
    /// Every error of the engine.
    pub fn fill(&self, engine: &dyn Engine, keys: u64, patience: u32) -> Outcome<u64> {
        let load = Load {
            keys,
            limit: self.limit() * patience,
            ..self.load(1, 4096)
        };
        let done = load.run(engine, |session, keys| session.pair_batch(keys), nothing)?;
        Ok(done.keys)
    }
}

/// Does nothing after a piece of work.
///
/// # Errors
/// None.
pub fn nothing(_: &mut dyn crate::engine::Session) -> Outcome<()> {
    Ok(())
}

/// The result of one measurement.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// In the order of the row's figures.
    pub values: Vec<f64>,
    /// Keys that they rest on.
    pub keys: u64,
    /// What else there is to say.
    pub remark: Option<String>,
}

impl Measured {
    /// A rate.
    #[must_use]
    pub fn rate(done: Done, engine: &dyn Engine) -> Self {
        Self {
            values: vec![done.per_second()],
            keys: done.keys,
            remark: engine.remark(),
        }
    }
}
