//! The metrics and labels in a `PromQL` expression: a reader for the expressions of `ops/`.

use crate::exposition::Exposition;

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) selectors: Vec<Selector>,
    /// Labels of `by (..)`, `on (..)` and their like.
    pub(crate) groups: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) matchers: Vec<Matcher>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    label: String,
    operator: String,
    value: String,
}

const GROUPING: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Words that are not metrics, though no parenthesis follows them.
const WORDS: &[&str] = &[
    "sum", "min", "max", "count", "and", "or", "unless", "offset",
];

/// Labels that Prometheus adds to everything it scrapes.
const SCRAPED: &[&str] = &["job", "instance"];

pub(crate) fn named(expression: &str) -> Named {
    let mut named = Named::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = after(&rest[1..], '"');
        } else if first == '[' {
            rest = after(rest, ']');
        } else if first.is_ascii_alphabetic() || first == '_' {
            let (word, behind) = split_word(rest);
            rest = read_word(word, behind.trim_start(), &mut named);
        } else if first.is_ascii_digit() {
            rest = split_word(rest).1;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    named
}

/// Takes a word in; returns the rest of the text.
fn read_word<'a>(word: &str, behind: &'a str, named: &mut Named) -> &'a str {
    let in_parentheses = behind.strip_prefix('(');
    if GROUPING.contains(&word) {
        // `group_left` may stand alone.
        let Some((labels, rest)) = in_parentheses.and_then(|inside| inside.split_once(')')) else {
            return behind;
        };
        let labels = labels.split(',').map(|label| label.trim().to_owned());
        named
            .groups
            .extend(labels.filter(|label| !label.is_empty()));
        return rest;
    }
    if in_parentheses.is_some() || WORDS.contains(&word) {
        return behind;
    }
    let (matchers, rest) = match behind.strip_prefix('{') {
        Some(inside) => matchers(inside),
        None => (Vec::new(), behind),
    };
    let metric = word.to_owned();
    named.selectors.push(Selector { metric, matchers });
    rest
}

fn matchers(mut rest: &str) -> (Vec<Matcher>, &str) {
    let mut matchers = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return (matchers, rest);
        }
        let (label, behind) = split_word(rest);
        let (operator, quoted) = behind.split_once('"').unwrap();
        let (value, behind) = quoted.split_once('"').unwrap();
        matchers.push(Matcher {
            label: label.to_owned(),
            operator: operator.trim().to_owned(),
            value: value.to_owned(),
        });
        rest = behind;
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn after(text: &str, closing: char) -> &str {
    text.split_once(closing).unwrap().1
}

/// The names in an expression that neither the metrics nor the recording rules have.
pub(crate) fn faults(expression: &str, there: &Exposition, recorded: &[String]) -> Vec<String> {
    let named = named(expression);
    let mut faults = Vec::new();
    if named.selectors.is_empty() {
        faults.push("names no metric".to_owned());
    }
    for Selector { metric, matchers } in &named.selectors {
        if recorded.contains(metric) {
            continue;
        }
        if !there.has(metric) {
            faults.push(format!("there is no series {metric}"));
            continue;
        }
        for matcher in matchers
            .iter()
            .filter(|one| !SCRAPED.contains(&&*one.label))
        {
            faults.extend(matcher.fault(metric, there));
        }
    }
    for label in named
        .groups
        .iter()
        .filter(|label| !SCRAPED.contains(&&***label))
    {
        if !has_label(&named, label, there) {
            faults.push(format!("nothing in it has the label {label}"));
        }
    }
    faults
}

pub(crate) fn has_label(named: &Named, label: &str, there: &Exposition) -> bool {
    let mut metrics = named.selectors.iter().map(|selector| &selector.metric);
    SCRAPED.contains(&label) || metrics.any(|metric| there.values(metric, label).is_some())
}

impl Matcher {
    fn fault(&self, metric: &str, there: &Exposition) -> Option<String> {
        let Self {
            label,
            operator,
            value,
        } = self;
        let Some(values) = there.values(metric, label) else {
            return Some(format!("{metric} has no label {label}"));
        };
        // A variable may be anything, and the service chooses the names of namespaces.
        if value.contains('$') || label == "namespace" {
            return None;
        }
        let wanted: Vec<&str> = match operator.as_str() {
            "=" | "!=" => vec![value],
            _ => value.split('|').collect(),
        };
        let missing = wanted.iter().find(|wanted| !values.contains(**wanted))?;
        Some(format!("{metric} never has {label}=\"{missing}\""))
    }
}

#[test]
fn expressions_are_read() {
    let found = named(
        "sum by (job, le) (rate(a_bucket{b=~\"x|{}y\",c!=\"[\"}[5m])) / on(job) group_left d offset 1d > 0.5e3 and e:f",
    );
    let metrics: Vec<_> = found.selectors.iter().map(|one| &*one.metric).collect();
    assert_eq!(metrics, ["a_bucket", "d", "e:f"]);
    assert_eq!(found.groups, ["job", "le", "job"]);
    let matchers = &found.selectors[0].matchers;
    assert_eq!((&*matchers[0].label, &*matchers[0].value), ("b", "x|{}y"));
    assert_eq!((&*matchers[1].operator, &*matchers[1].value), ("!=", "["));
}

#[test]
fn what_is_not_there_is_found() {
    let there = Exposition::parse("a_total{state=\"failed\"} 1\nb 2");
    let faults = |expression| faults(expression, &there, &["c:d".to_owned()]);
    assert!(faults("sum by (job, state) (a_total{state=~\"failed\",job=\"x\"}) / c:d").is_empty());
    for wrong in [
        "a",
        "1 + 2",
        "a_total_bucket",
        "a_total{outcome=\"failed\"}",
        "a_total{state=\"stale\"}",
        "a_total{state=~\"failed|stale\"}",
        "sum by (outcome) (b)",
        "c:e",
    ] {
        assert_eq!(faults(wrong).len(), 1, "{wrong}");
    }
}
