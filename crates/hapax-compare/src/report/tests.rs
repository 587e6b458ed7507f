//! Tests of the report, on made-up figures.

use std::path::PathBuf;

use super::{Report, csv, json, svg};
use crate::args::Args;
use crate::compare::cell::{Cell, Cells};
use crate::engines;
use crate::host::machine::Machine;
use crate::rows;
use crate::rows::row::{Measured, Scale};

fn machine() -> Machine {
    let text = |text: &str| text.to_owned();
    Machine {
        processor: text("a processor, 2 cores"),
        memory: text("1 GiB"),
        kernel: text("0"),
        disk: text("ext4 on <a disk> & more"),
        commit: text("none"),
        date: text("a day"),
    }
}

fn report(values: &[(&'static str, &[f64], u64)], row: &str) -> Report {
    let row = rows::find(row).unwrap();
    let engines = ["hapax", "file", "fjall", "sled", "lmdb"];
    let args = Args {
        rows: vec![row],
        engines: engines.map(|name| engines::find(name).unwrap()).to_vec(),
        rounds: 3,
        scale: Scale::FULL,
        quick: false,
        dir: PathBuf::new(),
        out: PathBuf::new(),
        json: None,
    };
    let mut cells = Cells::new();
    for entry in &args.engines {
        let found = values.iter().find(|(name, ..)| *name == entry.name);
        let cell = found.map_or_else(
            || Cell {
                absent: Some("not built".to_owned()),
                ..Cell::default()
            },
            |(_, values, keys)| Cell {
                runs: values.iter().map(|value| run(*value, *keys)).collect(),
                ..Cell::default()
            },
        );
        cells.insert((row.name, entry.name), cell);
    }
    Report::new(&args, machine(), &cells)
}

fn run(value: f64, keys: u64) -> Measured {
    Measured {
        values: vec![value],
        keys,
        remark: None,
    }
}

fn claims() -> Report {
    let values: &[(&str, &[f64], u64)] = &[
        ("hapax", &[3.0e6, 2.0e6, 2.5e6], 10_000_000),
        ("file", &[2.5e6], 10_000_000),
        ("fjall", &[0.25e6], 1_000_000),
        ("sled", &[0.1e6], 500_000),
    ];
    report(values, "claim")
}

#[test]
fn ratios_are_taken_to_the_median_of_hapax() {
    let report = claims();
    let ratios: Vec<Option<f64>> = report.lines[0]
        .values
        .iter()
        .map(|value| value.ratio)
        .collect();
    assert_eq!(ratios, [Some(1.0), Some(1.0), Some(0.1), Some(0.04), None]);
}

#[test]
fn goals_are_judged_by_ratios() {
    let met: Vec<Option<bool>> = claims().lines[0]
        .verdicts
        .iter()
        .map(|verdict| verdict.met)
        .collect();
    assert_eq!(met, [Some(true), Some(true)]);
    let slow: &[(&str, &[f64], u64)] = &[
        ("hapax", &[1.0e6], 9),
        ("file", &[2.0e6], 9),
        ("lmdb", &[0.2e6], 9),
    ];
    let verdicts = report(slow, "claim").lines.remove(0).verdicts;
    assert_eq!(
        (verdicts[0].met, verdicts[1].met),
        (Some(false), Some(false))
    );
    assert!(
        verdicts[0]
            .text
            .contains("the best embedded peer (lmdb): 5, NOT MET"),
        "{}",
        verdicts[0].text
    );
}

#[test]
fn a_goal_is_not_judged_without_its_engine_or_with_too_few_keys() {
    let alone: &[(&str, &[f64], u64)] = &[("hapax", &[1.0], 9)];
    assert!(
        report(alone, "claim").lines[0]
            .verdicts
            .iter()
            .all(|verdict| verdict.met.is_none())
    );
    let recovery = report(&[("hapax", &[1.0], 4_999_999)], "recovery");
    assert_eq!(recovery.lines[0].verdicts[0].met, None);
    let recovery = report(&[("hapax", &[1.0], 5_000_000)], "recovery");
    assert_eq!(recovery.lines[0].verdicts[0].met, Some(true));
}

#[test]
fn the_json_is_a_list_of_what_was_measured() {
    let text = claims().json().unwrap();
    let items: Vec<json::Item> = serde_json::from_str(&text).unwrap();
    let first = json::Item {
        row: "claim".to_owned(),
        engine: "hapax".to_owned(),
        value: 2.5e6,
        unit: "keys/s".to_owned(),
        ratio_to_hapax: Some(1.0),
    };
    assert_eq!(items[0], first);
    let engines: Vec<&str> = items.iter().map(|item| item.engine.as_str()).collect();
    assert_eq!(engines, ["hapax", "file", "fjall", "sled"]);
}

#[test]
fn without_hapax_there_are_no_ratios() {
    let text = report(&[("sled", &[1.0], 1)], "claim").json().unwrap();
    assert!(text.contains("\"ratio_to_hapax\": null"), "{text}");
}

#[test]
fn the_table_tells_spread_keys_and_what_is_missing() {
    let table = claims().table();
    assert!(table.contains("2.5 M (2 M .. 3 M)"), "{table}");
    assert!(table.contains("500 k keys"), "{table}");
    assert!(
        table.contains("LMDB (heed)                      not built"),
        "{table}"
    );
    assert!(
        table.contains("goal >= 10 x the best embedded peer (fjall): 10, met"),
        "{table}"
    );
}

#[test]
fn a_cell_of_the_csv_can_hold_anything() {
    assert_eq!(csv::quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
    let text = csv::render(&claims());
    assert_eq!(text.lines().count(), 6);
    assert!(
        text.contains("claim,lmdb,keys/s,,,,,0,not built,"),
        "{text}"
    );
}

#[test]
fn a_plot_has_a_bar_for_each_engine_that_was_measured() {
    let report = claims();
    let plot = svg::render(&report.lines[0], &report.machine).unwrap();
    assert_eq!(plot.matches("<rect x=").count(), 4);
    assert!(plot.contains("&lt;a disk&gt; &amp; more"), "{plot}");
    let nothing = self::report(&[], "claim");
    assert!(svg::render(&nothing.lines[0], &nothing.machine).is_none());
}
