//! The Prometheus rules, their tests, and the runbook.

use std::collections::BTreeSet;

use crate::exposition::Exposition;
use crate::promql;
use crate::{check, read};

/// A rule, with the members that the tests read.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) name: String,
    is_alert: bool,
    expression: String,
    members: Vec<(String, String)>,
}

impl Rule {
    fn member(&self, name: &str) -> &str {
        let mut members = self.members.iter();
        let found = members.find(|(member, _)| member == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Reads the rules. This is not all of YAML: a rule begins with a dash, and each member is a line of its
/// own, or indented below it.
pub(crate) fn rules() -> Vec<Rule> {
    let text = read("ops/prometheus/rules.yml");
    let mut rules: Vec<Rule> = Vec::new();
    let mut block: Option<usize> = None;
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|outer| indent > outer) {
            let rule = rules.last_mut().unwrap();
            rule.expression.push(' ');
            rule.expression.push_str(line.trim());
            continue;
        }
        block = None;
        let Some((name, value)) = line.trim().split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name {
            "- alert" | "- record" => rules.push(Rule {
                name: value.to_owned(),
                is_alert: name == "- alert",
                ..Rule::default()
            }),
            "expr" if value == "|" => block = Some(indent),
            "expr" => rules.last_mut().unwrap().expression = value.to_owned(),
            _ => {
                let member = (name.to_owned(), value.trim_matches('"').to_owned());
                if let Some(rule) = rules.last_mut() {
                    rule.members.push(member);
                }
            }
        }
    }
    rules
}

pub(crate) fn recorded() -> Vec<String> {
    let recorded = rules().into_iter().filter(|rule| !rule.is_alert);
    recorded.map(|rule| rule.name).collect()
}

fn alerts() -> Vec<Rule> {
    let alerts: Vec<_> = rules().into_iter().filter(|rule| rule.is_alert).collect();
    assert!(alerts.len() > 15, "the rules were read: {alerts:?}");
    alerts
}

#[test]
fn rules_name_metrics_and_labels_that_there_are() {
    let (there, recorded) = (Exposition::of_a_store(), recorded());
    assert_eq!(
        recorded.len(),
        6,
        "five indicators, the fourth in two parts"
    );
    let mut faults = Vec::new();
    for rule in rules() {
        let found = promql::faults(&rule.expression, &there, &recorded);
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("{}: {fault}", rule.name)),
        );
    }
    check(&faults);
}

#[test]
fn every_alert_says_what_it_is_and_where_to_read_on() {
    let mut faults = Vec::new();
    for alert in alerts() {
        let name = &alert.name;
        if !["critical", "warning"].contains(&alert.member("severity")) {
            faults.push(format!(
                "{name}: its severity is neither critical nor warning"
            ));
        }
        for member in ["summary", "description"] {
            if alert.member(member).is_empty() {
                faults.push(format!("{name}: has no {member}"));
            }
        }
        let anchor = format!("docs/runbook.md#{}", name.to_lowercase());
        if alert.member("runbook_url") != anchor {
            faults.push(format!("{name}: its runbook_url is not {anchor}"));
        }
    }
    check(&faults);
}

#[test]
fn the_runbook_has_every_alert_and_no_other() {
    let page = read("docs/runbook.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: Vec<_> = headings.collect();
    let alerts = alerts();
    let alerts: Vec<_> = alerts.iter().map(|alert| &*alert.name).collect();
    assert_eq!(headings, alerts, "in the order of the rules");
    let mut faults = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        for part in ["*Means:*", "*Look:*", "*Do:*"] {
            if !section.contains(part) {
                faults.push(format!("{name}: has no {part}"));
            }
        }
    }
    for (at, _) in page.match_indices("](#") {
        let anchor = page[at + 3..].split(')').next().unwrap();
        if !alerts.iter().any(|alert| alert.to_lowercase() == anchor) {
            faults.push(format!("links to #{anchor}"));
        }
    }
    check(&faults);
}

/// Words such as `hapax_claims_total`, without the names of packages.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("hapax_")).collect()
}

#[test]
fn the_pages_for_operators_name_metrics_that_there_are() {
    let there = Exposition::of_a_store();
    let mut faults = Vec::new();
    for page in ["docs/runbook.md", "docs/admin.md"] {
        for metric in metrics_in(&read(page)) {
            if !there.has(metric) && !there.has(&format!("{metric}_bucket")) {
                faults.push(format!("{page}: there is no metric {metric}"));
            }
        }
    }
    check(&faults);
}

#[test]
fn every_alert_is_seen_to_fire_and_to_stay_quiet() {
    let text = read("ops/prometheus/rules_test.yml");
    let cases: Vec<&str> = text.split("\n  - name: ").skip(1).collect();
    let mut faults = Vec::new();
    for alert in alerts() {
        let name = &alert.name;
        let fires = format!("alertname=\"{name}\"");
        let mut own = cases.iter().filter(|case| {
            let title = case.lines().next().unwrap().trim_matches('"');
            title.split(':').next() == Some(name)
        });
        if !own.any(|case| case.contains(&fires) && case.contains("exp_samples: []")) {
            faults.push(format!("{name}: no test of its name shows both"));
        }
    }
    check(&faults);
}

#[test]
fn the_runbook_names_verbs_and_routes_that_there_are() {
    let (page, verbs, routes) = (
        read("docs/runbook.md"),
        read("docs/cli.md"),
        read("docs/admin.md"),
    );
    let mut faults = Vec::new();
    for quoted in page.split('`').skip(1).step_by(2) {
        let mut words = quoted
            .split([' ', '\n', '?'])
            .filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let Some(second) = second else { continue };
        let is_known = match first {
            "hapax" => verbs.contains(&format!("\n### `{second}`\n")),
            "GET" => routes.contains(&format!("`GET {second}`")),
            "POST" => {
                let operation = second.rsplit('/').next().unwrap_or_default();
                routes.contains(&format!("| `{operation}` |")) || routes.contains(quoted)
            }
            _ => true,
        };
        if !is_known {
            faults.push(format!("`{quoted}`"));
        }
    }
    check(&faults);
}
