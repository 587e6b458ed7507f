//! What was found, in lines that the table and the files are made of.

use super::statistics::Spread;
use crate::args::Args;
use crate::compare::cell::Cells;
use crate::engine::{Entry, Kind, Role};
use crate::host::machine::Machine;
use crate::rows::number::{as_f64, number};
use crate::rows::row::{Against, Figure, Goal, Row};

/// All that was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// How many rounds, how many keys, how long.
    pub size: String,
    /// In the order of the table.
    pub lines: Vec<Line>,
}

/// One figure of all engines.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is.
    pub figure: &'static Figure,
    /// What was found, in the order of the table.
    pub values: Vec<Value>,
    /// The goals, and whether they are met.
    pub verdicts: Vec<Verdict>,
}

/// What was found of one engine.
#[derive(Clone, Debug)]
pub struct Value {
    /// The engine.
    pub entry: &'static Entry,
    /// The measurements, if there are any.
    pub spread: Option<Spread>,
    /// Its median divided by that of hapax.
    pub ratio: Option<f64>,
    /// Keys that it rests on: the least of the rounds.
    pub keys: u64,
    /// Why the line is empty, or another remark.
    pub remark: Option<String>,
}

/// Whether a goal is met.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// As in the table.
    pub text: String,
    /// `None` when it could not be judged.
    pub met: Option<bool>,
}

impl Report {
    /// Puts the measurements in order.
    #[must_use]
    pub fn new(args: &Args, machine: Machine, cells: &Cells) -> Self {
        let scale = &args.scale;
        let size = format!(
            "{} round(s); up to {} keys, or {} s for a peer and {} s for hapax and the limit{}",
            args.rounds,
            number(as_f64(scale.keys)),
            scale.seconds,
            4.0 * scale.seconds,
            if args.quick {
                "; --quick shows that it runs, not how fast"
            } else {
                ""
            }
        );
        let lines = args.rows.iter().flat_map(|row| {
            let figures = row.figures.iter().enumerate();
            figures.map(|(index, figure)| line(args, row, figure, index, cells))
        });
        Self {
            machine,
            size,
            lines: lines.collect(),
        }
    }
}

fn line(args: &Args, row: &Row, figure: &'static Figure, index: usize, cells: &Cells) -> Line {
    let value = |entry: &&'static Entry| {
        let cell = &cells[&(row.name, entry.name)];
        let found = cell.runs.iter().filter_map(|run| run.values.get(index));
        let found: Vec<f64> = found.copied().collect();
        let failed = cell.failure.as_ref().map(|why| format!("FAILED: {why}"));
        let remark = cell.runs.last().and_then(|run| run.remark.clone());
        Value {
            entry,
            spread: Spread::of(&found),
            ratio: None,
            keys: cell.runs.iter().map(|run| run.keys).min().unwrap_or(0),
            remark: failed.or_else(|| cell.absent.clone()).or(remark),
        }
    };
    let mut values: Vec<Value> = args.engines.iter().map(value).collect();
    let own = of(&values, Role::Hapax).and_then(|own| own.spread);
    for value in &mut values {
        let ratio = value.spread.zip(own);
        value.ratio = ratio.map(|(spread, own)| spread.median / own.median);
    }
    let verdicts = figure.goals.iter().map(|goal| judge(figure, goal, &values));
    Line {
        figure,
        verdicts: verdicts.collect(),
        values,
    }
}

fn of(values: &[Value], role: Role) -> Option<&Value> {
    values.iter().find(|value| value.entry.role == role)
}

fn judge(figure: &Figure, goal: &Goal, values: &[Value]) -> Verdict {
    let (other, name) = match goal.against {
        Against::Nothing => (Some(1.0), ""),
        Against::Engine(name) => {
            let found = values.iter().find(|value| value.entry.name == name);
            let spread = found.and_then(|value| value.spread);
            (spread.map(|spread| spread.median), name)
        }
        Against::BestPeer => best(figure, values, |kind| kind != Kind::Memory),
        Against::BestEmbedded => best(figure, values, |kind| kind == Kind::Embedded),
    };
    let (sign, factor) = (
        if figure.unit.more_is_better {
            ">="
        } else {
            "<="
        },
        goal.factor,
    );
    let wanted = match goal.against {
        Against::Nothing => format!("{sign} {} {}", number(factor), figure.unit.text),
        Against::Engine(_) => format!("{sign} {} x {name}", number(factor)),
        Against::BestPeer => format!("{sign} {} x the best peer ({name})", number(factor)),
        Against::BestEmbedded => {
            format!(
                "{sign} {} x the best embedded peer ({name})",
                number(factor)
            )
        }
    };
    let own = of(values, Role::Hapax).and_then(|own| Some((own.spread?.median, own.keys)));
    let (Some((own, keys)), Some(other)) = (own, other) else {
        return Verdict {
            text: format!("{wanted}: not measured"),
            met: None,
        };
    };
    if keys < goal.from_keys {
        return Verdict {
            text: format!(
                "{wanted}: judged from {} keys up",
                number(as_f64(goal.from_keys))
            ),
            met: None,
        };
    }
    let reached = own / other;
    let met = if figure.unit.more_is_better {
        reached >= factor
    } else {
        reached <= factor
    };
    let verdict = if met { "met" } else { "NOT MET" };
    Verdict {
        text: format!("{wanted}: {}, {verdict}", number(reached)),
        met: Some(met),
    }
}

/// The best median of a peer of some kinds, and whose it is.
fn best(figure: &Figure, values: &[Value], fits: fn(Kind) -> bool) -> (Option<f64>, &'static str) {
    let peer = |value: &&Value| value.entry.role == Role::Peer && fits(value.entry.kind);
    let peers = values.iter().filter(peer);
    let medians = peers.filter_map(|peer| Some((peer.spread?.median, peer.entry.name)));
    let better = |a: &(f64, &str), b: &(f64, &str)| {
        let order = a.0.total_cmp(&b.0);
        if figure.unit.more_is_better {
            order
        } else {
            order.reverse()
        }
    };
    medians
        .max_by(better)
        .map_or((None, "none"), |(median, name)| (Some(median), name))
}
