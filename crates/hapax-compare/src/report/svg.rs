//! A plot of each figure: a bar for each engine on a logarithmic scale, with its spread.

use std::fmt::Write;

use super::lines::{Line, Value};
use super::statistics::Spread;
use crate::engine::Role;
use crate::host::machine::Machine;
use crate::rows::number::{as_f64, number};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 54.0;
const BAR: f64 = 18.0;
const STEP: f64 = 26.0;
const BOTTOM: f64 = 44.0;

/// The plot; `None` when nothing was measured.
pub(super) fn render(line: &Line, machine: &Machine) -> Option<String> {
    let measured = line
        .values
        .iter()
        .filter_map(|value| Some((value, value.spread?)));
    let measured: Vec<(&Value, Spread)> = measured.collect();
    let axis = Axis::over(&measured)?;
    let bars = u32::try_from(measured.len()).ok()?;
    let bottom = TOP + f64::from(bars) * STEP;
    let height = bottom + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let better = if line.figure.unit.more_is_better {
        "more is better"
    } else {
        "less is better"
    };
    text(
        &mut svg,
        (12.0, 20.0),
        "font-size=\"14\"",
        line.figure.title,
    );
    let scale = format!("{}, logarithmic; {better}", line.figure.unit.text);
    text(&mut svg, (12.0, 38.0), "fill=\"#555\"", &scale);
    for exponent in axis.from..=axis.to {
        let x = axis.place(10f64.powi(exponent));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>"
        );
        let label = number(10f64.powi(exponent));
        text(
            &mut svg,
            (x, bottom + 14.0),
            "fill=\"#555\" text-anchor=\"middle\"",
            &label,
        );
    }
    for (index, (value, spread)) in (0u32..).zip(&measured) {
        bar(
            &mut svg,
            &axis,
            TOP + f64::from(index) * STEP,
            value,
            *spread,
        );
    }
    let foot = "fill=\"#555\" font-size=\"10\"";
    text(&mut svg, (12.0, bottom + 34.0), foot, &machine.line());
    svg += "</svg>\n";
    Some(svg)
}

fn bar(svg: &mut String, axis: &Axis, y: f64, value: &Value, spread: Spread) {
    let colour = match value.entry.role {
        Role::Hapax => "#c2410c",
        Role::Variant => "#e9a178",
        Role::Limit => "#64748b",
        Role::Peer => "#60a5fa",
    };
    let end = axis.place(spread.median);
    let middle = y + BAR / 2.0;
    let name = "text-anchor=\"end\" dominant-baseline=\"central\"";
    text(svg, (LEFT - 8.0, middle), name, value.entry.label);
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>",
        end - LEFT
    );
    let (least, greatest) = (axis.place(spread.min), axis.place(spread.max));
    let _ = writeln!(
        svg,
        "<line x1=\"{least:.1}\" y1=\"{middle}\" x2=\"{greatest:.1}\" y2=\"{middle}\" stroke=\"#111\"/>"
    );
    let ratio = value
        .ratio
        .map_or_else(String::new, |ratio| format!("  x {}", number(ratio)));
    let label = format!("{}{ratio}", number(spread.median));
    text(
        svg,
        (greatest.max(end) + 6.0, middle),
        "dominant-baseline=\"central\"",
        &label,
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), style: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
        escaped(text)
    );
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Powers of ten from below the least value to above the greatest.
struct Axis {
    from: i32,
    to: i32,
}

impl Axis {
    fn over(measured: &[(&Value, Spread)]) -> Option<Self> {
        let least = measured
            .iter()
            .map(|(_, spread)| spread.min)
            .reduce(f64::min)?;
        let greatest = measured
            .iter()
            .map(|(_, spread)| spread.max)
            .reduce(f64::max)?;
        let from = exponent(least.max(1e-9)) - i32::from(least.max(1e-9).log10().fract() == 0.0);
        Some(Self {
            from,
            to: (exponent(greatest.max(1e-9)) + 1).max(from + 1),
        })
    }

    fn place(&self, value: f64) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        let decades = as_f64(u64::from(self.from.abs_diff(self.to)));
        let part = (value.max(1e-9).log10() - f64::from(self.from)) / decades;
        LEFT + width * part.clamp(0.0, 1.0)
    }
}

/// The greatest power of ten that is not above a value.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite number has few digits"
)]
fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}
