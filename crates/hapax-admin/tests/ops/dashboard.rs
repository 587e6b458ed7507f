//! The Grafana dashboard: its structure, and the queries of its panels.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::exposition::Exposition;
use crate::promql;
use crate::{check, read};

fn dashboard() -> Value {
    serde_json::from_str(&read("ops/grafana/hapax.json")).unwrap()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// All panels, including rows and the panels in folded rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let mut all = Vec::new();
    for panel in list(&dashboard["panels"]) {
        all.push(panel);
        all.extend(list(&panel["panels"]));
    }
    all
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

/// The panels with content, each with the title of its row.
fn shown(dashboard: &Value) -> Vec<(&str, &Value)> {
    let mut row = "";
    let mut shown = Vec::new();
    for panel in panels(dashboard) {
        if is_row(panel) {
            row = text(&panel["title"]);
        } else {
            shown.push((row, panel));
        }
    }
    shown
}

/// An expression as Grafana sends it to Prometheus.
fn filled(expression: &str) -> String {
    expression
        .replace("${prefix}", "hapax")
        .replace("$__rate_interval", "5m")
}

#[test]
fn it_has_a_place_a_source_and_four_rows() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "hapax", "links lead to it");
    let variables = list(&dashboard["templating"]["list"]);
    let variables: Vec<_> = variables.map(|one| text(&one["name"])).collect();
    assert_eq!(
        variables,
        ["datasource", "prefix", "job", "instance", "namespace"]
    );
    let rows = panels(&dashboard).into_iter().filter(|panel| is_row(panel));
    let rows: Vec<_> = rows.map(|row| text(&row["title"])).collect();
    assert_eq!(rows, ["Executive", "On-call", "HTTP", "Debug"]);
}

#[test]
fn panels_have_their_own_numbers_and_places() {
    let dashboard = dashboard();
    let mut faults = Vec::new();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = text(&panel["title"]);
        if !ids.insert(panel["id"].as_u64().unwrap()) {
            faults.push(format!("{title}: its id is taken"));
        }
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        if w == 0 || h == 0 || x + w > 24 {
            faults.push(format!("{title}: does not fit the grid"));
        }
        let mut cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        if !cells.all(|cell| taken.insert(cell)) {
            faults.push(format!("{title}: lies over another panel"));
        }
    }
    check(&faults);
}

#[test]
fn panels_say_what_they_show_in_which_unit_and_from_where() {
    let dashboard = dashboard();
    let mut faults = Vec::new();
    let mut titles = BTreeSet::new();
    for (_, panel) in shown(&dashboard) {
        let title = text(&panel["title"]);
        if title.is_empty() || !titles.insert(title) {
            faults.push(format!("{title}: has no title of its own"));
        }
        if text(&panel["description"]).len() < 20 {
            faults.push(format!("{title}: has no description"));
        }
        if text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty() {
            faults.push(format!("{title}: has no unit"));
        }
        if list(&panel["targets"]).next().is_none() {
            faults.push(format!("{title}: asks for nothing"));
        }
        let sources = list(&panel["targets"]).map(|target| &target["datasource"]);
        for source in sources.chain([&panel["datasource"]]) {
            if source["uid"] != "${datasource}" {
                faults.push(format!("{title}: has a source of its own"));
            }
        }
    }
    check(&faults);
}

#[test]
fn panels_name_metrics_and_labels_that_there_are() {
    let (dashboard, there) = (dashboard(), Exposition::of_a_store());
    let mut faults = Vec::new();
    for (_, panel) in shown(&dashboard) {
        let title = text(&panel["title"]);
        for target in list(&panel["targets"]) {
            let raw = text(&target["expr"]);
            if raw.contains("hapax_") || !raw.contains("job=~\"$job\"") {
                faults.push(format!("{title}: goes past the variables: {raw}"));
            }
            let expression = filled(raw);
            let found = promql::faults(&expression, &there, &[]);
            faults.extend(found.into_iter().map(|fault| format!("{title}: {fault}")));
            let named = promql::named(&expression);
            for label in labels_of(text(&target["legendFormat"])) {
                if !promql::has_label(&named, label, &there) {
                    faults.push(format!("{title}: its legend has no {label}"));
                }
            }
        }
    }
    for variable in list(&dashboard["templating"]["list"]) {
        let query = text(&variable["query"]["query"]);
        let asked = query.strip_prefix("label_values(");
        let asked = asked.and_then(|asked| asked.rsplit_once(','));
        if let Some((selector, _)) = asked {
            faults.extend(promql::faults(&filled(selector), &there, &[]));
        }
    }
    check(&faults);
}

/// The labels of a legend such as `{{outcome}}`.
fn labels_of(legend: &str) -> Vec<&str> {
    let behind = legend.split("{{").skip(1);
    behind.filter_map(|rest| rest.split("}}").next()).collect()
}

/// Finds panels by their queries, so that titles may change.
const INDICATORS: [&str; 5] = [
    "_reclaims_total",
    "_lapses_total",
    "_claim_duration_seconds_bucket",
    "deriv(",
    "_reruns_total",
];

#[test]
fn the_five_indicators_come_first() {
    let dashboard = dashboard();
    let executive = shown(&dashboard);
    let executive = executive.into_iter().filter(|(row, _)| *row == "Executive");
    let asked: String = executive
        .flat_map(|(_, panel)| list(&panel["targets"]))
        .map(|target| text(&target["expr"]))
        .collect();
    for indicator in INDICATORS {
        assert!(asked.contains(indicator), "{indicator} is not asked for");
    }
}
