//! The text exposition format of Prometheus, version 0.0.4.

use std::fmt::Write;

use crate::observe::metrics::family::{Family, MetricKind, Series, Value};
use crate::observe::metrics::snapshot::Metrics;

impl Metrics {
    /// All metrics in the text format of Prometheus 0.0.4, for `/metrics` with the content type `text/plain;
    /// version=0.0.4`.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        self.render_prometheus(&mut text);
        text
    }

    /// As [`to_prometheus`](Self::to_prometheus), appended to a text.
    pub fn render_prometheus(&self, text: &mut String) {
        for family in self.families() {
            // Writing to a string does not fail.
            let _ = write_family(text, family);
        }
    }
}

fn write_family(text: &mut String, family: &Family) -> std::fmt::Result {
    let kind = match family.kind() {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    writeln!(text, "# HELP {} {}", family.name(), family.help())?;
    writeln!(text, "# TYPE {} {kind}", family.name())?;
    for series in family.series() {
        write_series(text, family.name(), series)?;
    }
    Ok(())
}

fn write_series(text: &mut String, name: &str, series: &Series) -> std::fmt::Result {
    match series.value() {
        Value::Counter(count) => {
            write_name(text, name, series, None)?;
            writeln!(text, " {count}")
        }
        Value::Gauge(value) => {
            write_name(text, name, series, None)?;
            writeln!(text, " {value}")
        }
        Value::Histogram(seen) => {
            for (bound, below) in seen.buckets() {
                write_name(text, &format!("{name}_bucket"), series, Some(bound))?;
                writeln!(text, " {below}")?;
            }
            write_name(text, &format!("{name}_sum"), series, None)?;
            writeln!(text, " {}", seen.sum())?;
            write_name(text, &format!("{name}_count"), series, None)?;
            writeln!(text, " {}", seen.count())
        }
    }
}

fn write_name(text: &mut String, name: &str, series: &Series, le: Option<f64>) -> std::fmt::Result {
    text.push_str(name);
    let mut open = '{';
    for (label, value) in series.labels() {
        write!(text, "{open}{label}=\"")?;
        escape(text, value);
        text.push('"');
        open = ',';
    }
    match le {
        Some(bound) if bound.is_infinite() => write!(text, "{open}le=\"+Inf\"")?,
        Some(bound) => write!(text, "{open}le=\"{bound}\"")?,
        None if open == '{' => return Ok(()),
        None => {}
    }
    text.push('}');
    Ok(())
}

/// Writes the value of a label: the name of a namespace can be any text.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}
