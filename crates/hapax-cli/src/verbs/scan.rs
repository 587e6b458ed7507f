//! `scan`: lists the chosen keys.

use clap::Args;
use hapax::{KeyInfo, KeyState};

use crate::input::key_choice::KeyChoice;
use crate::input::state_name::StateName;
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `scan`.
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    choice: KeyChoice,

    /// Only keys in this state; may be repeated
    #[arg(long, value_enum)]
    state: Vec<StateName>,

    /// List at most this many keys
    #[arg(long, value_name = "KEYS")]
    limit: Option<usize>,
}

impl Verb for ScanArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.read()?;
        let now_secs = time::secs(store.stats().store_time());
        let key_hex = screen.key_hex();
        let states: Vec<KeyState> = self.state.iter().copied().map(KeyState::from).collect();
        let keys = self.choice.keys(&store, &states)?;
        let limit = self.limit.unwrap_or(usize::MAX);
        let rows = keys
            .take(limit)
            .map(|info| Ok(row(&info?, now_secs, key_hex)));
        let count = screen.list(rows)?;
        screen.note(&counted(count, "key"));
        Ok(Outcome::Done)
    }
}

/// A key in a list.
pub(crate) fn row(info: &KeyInfo, now_secs: u64, key_hex: bool) -> Row {
    Row::new()
        .text("namespace", info.namespace())
        .key(info.key(), key_hex)
        .state(info.state())
        .span(
            "age_secs",
            now_secs.saturating_sub(time::secs(info.recorded_at())),
        )
        .number("attempt", u64::from(info.attempt()))
        .text("token", &info.token().to_string())
        .only_json("first_claimed_at", time::moment(info.first_claimed_at()))
        .only_json("recorded_at", time::moment(info.recorded_at()))
        .moment("expires_at", info.expires_at())
        .only_json(
            "body_bytes",
            u64::try_from(info.body().len()).unwrap_or(u64::MAX),
        )
        .bytes("reason", "reason_base64", info.reason())
}
