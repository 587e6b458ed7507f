//! A list with an object for each engine that was measured.

use serde::{Deserialize, Serialize};

use super::lines::Report;
use crate::outcome::Outcome;

/// One of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) row: String,
    pub(super) engine: String,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) ratio_to_hapax: Option<f64>,
}

pub(super) fn render(report: &Report) -> Outcome<String> {
    let items = report.lines.iter().flat_map(|line| {
        line.values.iter().filter_map(|value| {
            Some(Item {
                row: line.figure.name.to_owned(),
                engine: value.entry.name.to_owned(),
                value: value.spread?.median,
                unit: line.figure.unit.text.to_owned(),
                ratio_to_hapax: value.ratio,
            })
        })
    });
    let items: Vec<Item> = items.collect();
    Ok(serde_json::to_string_pretty(&items)? + "\n")
}
