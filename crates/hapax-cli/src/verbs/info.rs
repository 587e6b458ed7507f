//! `info`: describes a store, even while another process holds it.

use clap::Args;
use hapax::Store;
use hapax::maintenance::Survey;
use serde_json::Value;

use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The directory of the store
    store: std::path::PathBuf,
}

impl Verb for InfoArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let survey = Store::survey(&self.store)?;
        let namespaces: Vec<Row> = namespaces(&survey);
        let row = row(&survey)
            .only_json(
                "namespaces",
                namespaces.iter().map(Row::value).collect::<Vec<_>>(),
            )
            .only_json("segment_list", segments(&survey));
        screen.record(&row)?;
        if !screen.is_json() && !namespaces.is_empty() {
            screen.line("")?;
            screen.list(namespaces.into_iter().map(Ok))?;
        }
        if survey.is_salvaged() {
            screen.note(
                "the store was salvaged with losses: settle them in other systems, then run `hapax accept-salvage`",
            );
        }
        if survey.is_backup() {
            screen.note("this is a backup: `hapax restore` makes a store from it");
        }
        Ok(Outcome::found_if(survey.is_salvaged()))
    }
}

fn row(survey: &Survey) -> Row {
    Row::new()
        .text("store_id", survey.store_id())
        .number("format", u64::from(survey.manifest_version()))
        .text("log", &survey.log_kind().to_string())
        .optional_number("held_by_pid", survey.holder().map(u64::from))
        .moment("created_at", Some(survey.created_at()))
        .moment("store_time", Some(survey.store_time()))
        .flag("is_backup", survey.is_backup())
        .flag("is_salvaged", survey.is_salvaged())
        .number("epoch", u64::from(survey.epoch()))
        .number("durable_frame", survey.durable_frame())
        .number("segments", survey.segments().len() as u64)
        .size("disk_bytes", survey.disk_bytes())
        .size("free_bytes", survey.free_bytes())
}

fn segments(survey: &Survey) -> Vec<Value> {
    let segments = survey.segments().iter().map(|segment| {
        let row = Row::new()
            .number("number", segment.number)
            .size("disk_bytes", segment.disk_bytes);
        row.value()
    });
    segments.collect()
}

fn namespaces(survey: &Survey) -> Vec<Row> {
    let namespaces = survey.namespaces().iter().map(|space| {
        // JSON has every knob under its name; the table shows the most important ones.
        let policy = serde_json::to_value(&space.policy).unwrap_or_default();
        Row::new()
            .text("namespace", &space.name)
            .only_json("number", space.number)
            .only_table("guarantee", guarantee(&policy))
            .only_table("lease", duration(&policy["lease"]))
            .only_table("retention", duration(&policy["retention"]))
            .only_table("max_attempts", number(&policy["max_attempts"]))
            .only_table("fingerprints", word(&policy["fingerprints"]))
            .only_json("policy", policy)
    });
    namespaces.collect()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_lowercase()
}

fn guarantee(policy: &Value) -> &'static str {
    match policy["guarantee"].as_str() {
        Some("AtMostOnce") => "at most once",
        Some("AtLeastOnce") => "at least once",
        _ => "-",
    }
}

fn number(value: &Value) -> String {
    value
        .as_u64()
        .map_or("-".to_owned(), |number| number.to_string())
}

/// A span, which the library writes as seconds and nanoseconds.
fn duration(value: &Value) -> String {
    let span: std::result::Result<std::time::Duration, _> = serde_json::from_value(value.clone());
    span.map_or("-".to_owned(), time::rough)
}
