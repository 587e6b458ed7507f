//! Three panels over the number of keys, as SVG: what a claim, the memory and the reopening of each
//! store take. The keys are on a logarithmic axis, the values on a linear one from zero, so a cost
//! that does not grow is a flat line.

use std::fmt::Write;

use crate::figures::Figures;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 34.0;

struct Panel {
    title: &'static str,
    of: fn(&Figures) -> f64,
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "nanoseconds per claim of a new key",
        of: Figures::nanos_per_claim,
    },
    Panel {
        title: "resident bytes per key",
        of: |figures| figures.resident_bytes_per_key,
    },
    Panel {
        title: "seconds to reopen, per million keys",
        of: Figures::reopen_seconds_per_million,
    },
];

/// Rounds up to 1, 2 or 5 times a power of ten: where an axis ends.
pub(crate) fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.iter().find(|step| *step * power >= value);
    step.unwrap_or(&10.0) * power
}

/// Where a number of keys stands between the least and the most, on a logarithmic axis, 0 to 1.
pub(crate) fn share(keys: f64, least: f64, most: f64) -> f64 {
    if most <= least {
        return 0.5;
    }
    (keys / least).ln() / (most / least).ln()
}

pub(crate) fn svg(row: &[Figures]) -> String {
    let height = PANEL * 3.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut top = 0.0;
    for panel in &PANELS {
        draw(&mut svg, panel, row, top);
        top += PANEL;
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, panel: &Panel, row: &[Figures], top: f64) {
    let keys = |by: fn(f64, f64) -> f64| row.iter().map(|each| each.keys).reduce(by).unwrap_or(1.0);
    let (least, most) = (keys(f64::min), keys(f64::max));
    let end = round_up(row.iter().map(panel.of).fold(0.0, f64::max));
    let x = |keys| LEFT + share(keys, least, most) * (WIDTH - LEFT - RIGHT);
    let floor = top + PANEL - BOTTOM;
    let y = |value: f64| floor - value / end * (PANEL - TOP - BOTTOM);
    text(svg, LEFT, top + 20.0, "start", panel.title);
    for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let value = end * quarter;
        line(svg, (LEFT, y(value)), (WIDTH - RIGHT, y(value)));
        text(svg, LEFT - 8.0, y(value) + 4.0, "end", &short(value));
    }
    let mut points = String::new();
    for figures in row {
        let (x, y) = (x(figures.keys), y((panel.of)(figures)));
        points += &format!("{x:.1},{y:.1} ");
        mark(svg, x, y);
        text(svg, x, floor + 18.0, "middle", &short(figures.keys));
    }
    let points = points.trim_end();
    push(
        svg,
        format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>"
        ),
    );
}

fn push(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("a string takes everything");
}

fn line(svg: &mut String, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
    push(
        svg,
        format_args!(
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"#dddddd\"/>"
        ),
    );
}

fn mark(svg: &mut String, x: f64, y: f64) {
    push(
        svg,
        format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#1f5fa8\"/>"),
    );
}

/// Nothing that is written here has to be escaped.
fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    push(
        svg,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"),
    );
}

/// With as many digits as tell it from its neighbours on an axis.
pub(crate) fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e9 => (value / 1e9, " G"),
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e3 => (value / 1e3, " k"),
        value => (value, ""),
    };
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 1.0 {
        2
    } else {
        4
    };
    let number = format!("{value:.digits$}");
    let number = match number.split_once('.') {
        Some(_) => number.trim_end_matches('0').trim_end_matches('.'),
        None => &number,
    };
    format!("{number}{unit}")
}
