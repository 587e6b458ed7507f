//! The table for people: a block for each figure.

use std::fmt::Write;

use super::lines::{Line, Report, Value};
use crate::engine::{Durability, Role};
use crate::rows::number::{as_f64, number};

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}\n{}", report.machine.line(), report.size);
    let _ = writeln!(
        text,
        "median (least .. greatest), and the ratio to hapax; keys where they are fewer than hapax had\n"
    );
    for line in &report.lines {
        block(&mut text, line);
    }
    legend(&mut text, report);
    text
}

fn block(text: &mut String, line: &Line) {
    let _ = writeln!(
        text,
        "{}: {} [{}; {} is better]",
        line.figure.name,
        line.figure.title,
        line.figure.unit.text,
        if line.figure.unit.more_is_better {
            "more"
        } else {
            "less"
        }
    );
    let own = line
        .values
        .iter()
        .find(|value| value.entry.role == Role::Hapax);
    let keys = own.map_or(0, |own| own.keys);
    for value in &line.values {
        if let Some(row) = row(value, keys) {
            let _ = writeln!(text, "  {row}");
        }
    }
    for verdict in &line.verdicts {
        let _ = writeln!(text, "  goal {}", verdict.text);
    }
    text.push('\n');
}

/// The line of an engine; `None` when the engine does not have this row.
fn row(value: &Value, own_keys: u64) -> Option<String> {
    let name = format!("{:<32}", value.entry.label);
    let Some(spread) = value.spread else {
        let why = value.remark.as_deref().unwrap_or("not measured");
        return (why != "not a row of it").then(|| format!("{name} {why}"));
    };
    let range = format!("({} .. {})", number(spread.min), number(spread.max));
    let ratio = value
        .ratio
        .map_or_else(String::new, |ratio| format!("x {}", number(ratio)));
    let mut row = format!(
        "{name} {:>8} {range:<24} {ratio:<10}",
        number(spread.median)
    );
    if value.keys < own_keys {
        row += &format!("{} keys", number(as_f64(value.keys)));
    }
    if let Some(remark) = &value.remark {
        row = format!("{}  [{remark}]", row.trim_end());
    }
    Some(row.trim_end().to_owned())
}

/// What each engine does with a write.
fn legend(text: &mut String, report: &Report) {
    let Some(line) = report.lines.first() else {
        return;
    };
    for (durability, title) in [
        (
            Durability::Interval,
            "Interval: what a write is when its call returns",
        ),
        (
            Durability::Sync,
            "Sync: how a write reaches the medium before its call returns",
        ),
    ] {
        let _ = writeln!(text, "{title}");
        for value in &line.values {
            let what = match durability {
                Durability::Interval => value.entry.interval,
                Durability::Sync => value.entry.sync,
            };
            let _ = writeln!(text, "  {:<32} {what}", value.entry.label);
        }
    }
}
