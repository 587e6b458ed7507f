//! `in-doubt`: lists keys in doubt, whose effect may or may not have happened.

use clap::Args;
use hapax::Doubt;

use crate::input::key_choice::KeyChoice;
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `in-doubt`.
#[derive(Debug, Args)]
pub(crate) struct InDoubtArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    choice: KeyChoice,

    /// Show the key that holders sent downstream under this label, to look up the effect there
    #[arg(long, value_name = "LABEL")]
    derived_key: Option<String>,
}

impl Verb for InDoubtArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.read()?;
        let now_secs = time::secs(store.stats().store_time());
        let key_hex = screen.key_hex();
        let doubts = self.choice.doubts(&store)?;
        let label = self.derived_key.as_deref();
        let rows = doubts.map(|doubt| Ok(row(&doubt?, now_secs, key_hex, label)));
        let count = screen.list(rows)?;
        if count == 0 {
            screen.note("no key is in doubt");
        } else {
            screen.note(&format!(
                "{} in doubt: look up each effect where it would have happened, then settle one with `hapax resolve` or many with `hapax reconcile`",
                counted(count, "key")
            ));
        }
        Ok(Outcome::found_if(count > 0))
    }
}

fn row(doubt: &Doubt, now_secs: u64, key_hex: bool, label: Option<&str>) -> Row {
    let row = Row::new()
        .text("namespace", doubt.namespace())
        .key(doubt.key(), key_hex)
        .span(
            "age_secs",
            now_secs.saturating_sub(time::secs(doubt.since())),
        )
        .only_json("recorded_at", time::moment(doubt.since()))
        .number("attempt", u64::from(doubt.attempt()))
        .text("token", &doubt.token().to_string())
        .bytes("reason", "reason_base64", doubt.reason())
        .bytes("metadata", "metadata_base64", doubt.metadata())
        .json_bytes("checkpoint", "checkpoint_base64", doubt.checkpoint());
    match label {
        Some(label) => row.text("derived_key", &doubt.derived_key(label)),
        None => row,
    }
}
