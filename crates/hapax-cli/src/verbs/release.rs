//! `release`: frees a key in progress.

use clap::Args;
use hapax::{FencingToken, KeyInfo, KeyState};

use crate::input::action_args::ActionArgs;
use crate::input::namespace_args::NamespaceArgs;
use crate::input::store_args::StoreArgs;
use crate::notation::key_text::{self, KeyBytes};
use crate::outcome::Outcome;
use crate::output::change::Change;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::verb::Verb;

/// The options of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = key_text::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// The token of the holder, as `stuck` shows it
    #[arg(long)]
    token: FencingToken,

    #[command(flatten)]
    action: ActionArgs,
}

impl Verb for ReleaseArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.open(self.action.confirm)?;
        let namespace = self.namespace.open(&store)?;
        let info = namespace.get(&self.key)?;
        if let Some(why) = self.why_not(info.as_ref()) {
            let key = key_text::key(&self.key, false);
            let text = format!("{key} in namespace {} {why}", namespace.name());
            return Err(Trouble::Refused(text));
        }
        if self.action.confirm {
            let operator = self.action.operator(&store)?;
            operator.release(namespace.name(), &self.key, self.token)?;
        }
        let change = Change {
            action: "release",
            namespace: namespace.name(),
            key: &self.key,
            state: Some(KeyState::InProgress),
            becomes: Some(KeyState::Released),
            done: self.action.confirm,
        };
        screen.list([Ok(change.row(screen.key_hex()))])?;
        if self.action.confirm {
            store.close()?;
        }
        Ok(self.action.end(screen))
    }
}

impl ReleaseArgs {
    /// Why the key cannot be released under this token.
    fn why_not(&self, info: Option<&KeyInfo>) -> Option<String> {
        let Some(info) = info else {
            return Some("is absent: there is nothing to release".to_owned());
        };
        match info.state() {
            KeyState::InProgress if info.token() == self.token => None,
            KeyState::InProgress => Some(format!(
                "is held under token {}, not {}: look again with `hapax get`",
                info.token(),
                self.token
            )),
            KeyState::InDoubt => Some(
                "is in doubt: look up its effect, and settle it with `hapax resolve`".to_owned(),
            ),
            state => Some(format!(
                "is {state}, not in progress: there is nothing to release"
            )),
        }
    }
}
