//! `stuck`: lists keys without an outcome, oldest first, with what to do about each.

use clap::Args;
use hapax::{KeyInfo, KeyState};

use crate::input::key_choice::KeyChoice;
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::notation::key_text;
use crate::notation::shell;
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `stuck`.
#[derive(Debug, Args)]
pub(crate) struct StuckArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    choice: KeyChoice,
}

/// The states of keys without an outcome.
const UNFINISHED: [KeyState; 3] = [KeyState::InDoubt, KeyState::InProgress, KeyState::Released];

impl Verb for StuckArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.read()?;
        let now_secs = time::secs(store.stats().store_time());
        let key_hex = screen.key_hex();
        let keys = self.choice.oldest_first(&store, &UNFINISHED)?;
        let path = self.store.store.to_string_lossy();
        let next = |info: &KeyInfo| next(info, &path, self.choice.namespace().is_needed(&store));
        let rows = keys.map(|info| {
            let info = info?;
            Ok(row(&info, now_secs, key_hex).text("next", &next(&info)))
        });
        let count = screen.list(rows)?;
        if count == 0 {
            screen.note("every key has an outcome");
        } else {
            screen.note(&format!("{} without an outcome", counted(count, "key")));
        }
        Ok(Outcome::found_if(count > 0))
    }
}

fn row(info: &KeyInfo, now_secs: u64, key_hex: bool) -> Row {
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
        .bytes("reason", "reason_base64", info.reason())
}

/// What to do about a key. No other process holds the store, so nothing runs the key.
fn next(info: &KeyInfo, store: &str, needs_namespace: bool) -> String {
    let space = if needs_namespace {
        format!(" -n {}", shell::quoted(info.namespace()))
    } else {
        String::new()
    };
    let arguments = format!(
        "{} {}{space} --token {}",
        shell::quoted(store),
        shell::quoted(&key_text::key(info.key(), false)),
        info.token()
    );
    match info.state() {
        KeyState::InDoubt => format!("look up the effect, then hapax resolve {arguments}"),
        KeyState::InProgress => format!("hapax release {arguments}"),
        _ => "nothing: the next claim runs it again".to_owned(),
    }
}
