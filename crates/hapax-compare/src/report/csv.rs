//! The same with the spread, the keys and the remarks, for a spreadsheet.

use std::fmt::Write;

use super::lines::Report;

pub(super) fn render(report: &Report) -> String {
    let head = "row,engine,unit,median,min,max,ratio_to_hapax,keys,remark,machine\n";
    let mut text = head.to_owned();
    for line in &report.lines {
        for value in &line.values {
            let cell =
                |found: Option<f64>| found.map_or_else(String::new, |found| found.to_string());
            let spread = value.spread;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{}",
                line.figure.name,
                value.entry.name,
                quoted(line.figure.unit.text),
                cell(spread.map(|spread| spread.median)),
                cell(spread.map(|spread| spread.min)),
                cell(spread.map(|spread| spread.max)),
                cell(value.ratio),
                value.keys,
                quoted(value.remark.as_deref().unwrap_or_default()),
                quoted(&report.machine.line()),
            );
        }
    }
    text
}

pub(super) fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
