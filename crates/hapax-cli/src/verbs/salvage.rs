//! `salvage`: saves what is left of a damaged store into a new directory.

use std::path::PathBuf;

use clap::Args;
use hapax::maintenance::{SalvageOptions, SalvageReport};
use hapax::{Policy, Store};

use crate::notation::shell;
use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `salvage`.
#[derive(Debug, Args)]
pub(crate) struct SalvageArgs {
    /// The damaged store, which is not changed
    from: PathBuf,

    /// The new directory
    into: PathBuf,

    /// If the manifest is lost: a backup or an older copy of the same store
    #[arg(long, value_name = "DIRECTORY")]
    manifest_of: Option<PathBuf>,

    /// If the manifest is lost and there is no copy: a namespace, numbered in the order of
    /// creation, as 1:NAME:at-least-once or 2:NAME:at-most-once; may be repeated
    #[arg(long, value_name = "NUMBER:NAME:GUARANTEE", value_parser = parse_namespace)]
    namespace: Vec<(u32, String, Policy)>,
}

fn parse_namespace(text: &str) -> std::result::Result<(u32, String, Policy), String> {
    let parse = || {
        let (number, rest) = text.split_once(':')?;
        let (name, guarantee) = rest.rsplit_once(':')?;
        let policy = match guarantee {
            "at-least-once" => Policy::at_least_once(),
            "at-most-once" => Policy::at_most_once(),
            _ => return None,
        };
        Some((number.parse().ok()?, name.to_owned(), policy))
    };
    parse().ok_or_else(|| "write it as 1:NAME:at-least-once or 1:NAME:at-most-once".to_owned())
}

impl Verb for SalvageArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let mut bar = ProgressBar::new("saving");
        let mut options = SalvageOptions::new();
        if let Some(directory) = &self.manifest_of {
            options = options.manifest_of(directory);
        }
        for (number, name, policy) in &self.namespace {
            options = options.namespace(*number, name, policy.clone());
        }
        let salvage = Store::salvage_with_progress(&self.from, &self.into, options, |progress| {
            bar.show(&progress);
        })?;
        drop(bar);
        screen.record(&row(&salvage))?;
        let into = shell::quoted(&self.into.to_string_lossy());
        screen.note(&if salvage.is_whole() {
            format!("everything was saved to {into}: replace the damaged store with it")
        } else {
            format!(
                "what is left was saved to {into}: settle the keys in doubt (`hapax in-doubt {into}`) and what was lost, then run `hapax accept-salvage {into}`"
            )
        });
        let (lost, altered) = (
            salvage.lost_audit_entries(),
            salvage.altered_audit_entries(),
        );
        if lost + altered > 0 {
            screen.note(&format!(
                "in the audit log, {lost} entries are lost and {altered} are altered: keep the damaged store for an audit"
            ));
        }
        Ok(Outcome::found_if(!salvage.is_whole() || lost + altered > 0))
    }
}

fn row(salvage: &SalvageReport) -> Row {
    let lost: u64 = salvage
        .lost_frames()
        .iter()
        .map(|range| range.end() - range.start() + 1)
        .sum();
    let places: Vec<String> = salvage.places().to_vec();
    let mut row = Row::new()
        .flag("is_whole", salvage.is_whole())
        .number("saved_keys", salvage.saved_keys())
        .number("completed_keys", salvage.completed_keys())
        .number("failed_keys", salvage.failed_keys())
        .number("unfinished_keys", salvage.unfinished_keys())
        .number("keys_in_doubt", salvage.keys_in_doubt())
        .number("expired_keys", salvage.expired_keys())
        .number("frames", salvage.frames())
        .number("lost_frames", lost)
        .number("lost_bodies", salvage.lost_bodies())
        .number("void_frames", salvage.void_frames())
        .number("foreign_frames", salvage.foreign_frames())
        .flag("end_is_known", salvage.end_is_known())
        .flag("seed_is_lost", salvage.seed_is_lost())
        .number("audit_entries", salvage.audit_entries())
        .number("lost_audit_entries", salvage.lost_audit_entries())
        .number("altered_audit_entries", salvage.altered_audit_entries());
    for place in &places {
        row = row.only_table("place", place.as_str());
    }
    row.only_json("places", places)
}
