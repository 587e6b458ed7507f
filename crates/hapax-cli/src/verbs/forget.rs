//! `forget`: removes keys, so that the next claim of each runs again.

use clap::Args;
use hapax::operator::Operator;
use hapax::{FencingToken, KeyInfo, KeyState, Store};

use crate::input::action_args::ActionArgs;
use crate::input::key_choice::KeyChoice;
use crate::input::state_name::StateName;
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::notation::key_text::{self, KeyBytes};
use crate::outcome::Outcome;
use crate::output::change::Change;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::in_turn::{all_up_to_an_error, told};
use crate::verbs::verb::Verb;

/// The options of `forget`.
#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key; or choose keys with --prefix, --client-key, --state or --older-than
    #[arg(value_parser = key_text::parse_key)]
    key: Option<KeyBytes>,

    #[command(flatten)]
    choice: KeyChoice,

    /// Only keys in this state; may be repeated [default: completed, failed, released]
    #[arg(long, value_enum, conflicts_with = "key")]
    state: Vec<StateName>,

    /// Also forget a key in doubt or in progress, if this is its token
    #[arg(long, requires = "key")]
    token: Option<FencingToken>,

    #[command(flatten)]
    action: ActionArgs,
}

impl Verb for ForgetArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        self.check()?;
        let store = self.store.open(self.action.confirm)?;
        let confirm = self.action.confirm;
        let operator = confirm.then(|| self.action.operator(&store)).transpose()?;
        let keys = chosen(self, &store)?;
        let key_hex = screen.key_hex();
        // Makes every change before showing any, because writing the output may fail or stop early.
        let done = operator.map(|operator| {
            let forgotten = keys
                .iter()
                .map(|chosen| forget(&operator, chosen, self.token));
            all_up_to_an_error(forgotten)
        });
        let results = done.iter().flatten();
        let forgotten = results.filter(|result| matches!(result, Ok(true))).count();
        let there = keys.iter().filter(|chosen| chosen.state.is_some()).count();
        let rows = told(done, &keys, |chosen, was_there| {
            row(chosen, was_there, key_hex)
        });
        screen.list(rows)?;
        if confirm {
            store.close()?;
        }
        screen.note(&summary(confirm, forgotten, there));
        if there == 0 || confirm && forgotten < keys.len() {
            return Ok(Outcome::Found);
        }
        Ok(self.action.end(screen))
    }
}

impl ForgetArgs {
    /// Refuses a command line that chooses no keys, or chooses them twice.
    fn check(&self) -> Result<()> {
        if self.key.is_none()
            && self.choice.prefix().is_none()
            && self.state.is_empty()
            && !self.choice.has_age()
            && !self.choice.has_parts()
        {
            return Err(Trouble::usage(
                "no keys are chosen: name a key, or give --prefix, --client-key, --state or --older-than",
            ));
        }
        if self.key.is_some() && self.choice.has_parts() {
            return Err(Trouble::usage(
                "give either a key or --client-key, --tenant and --operation, not both",
            ));
        }
        Ok(())
    }
}

fn summary(confirm: bool, forgotten: usize, there: usize) -> String {
    match (confirm, forgotten) {
        (false, _) => format!("{} would be forgotten", many(there)),
        (true, 0) => "no key was forgotten".to_owned(),
        (true, _) => format!(
            "{} forgotten; `hapax compact` erases the bytes",
            many(forgotten)
        ),
    }
}

fn many(keys: usize) -> String {
    counted(u64::try_from(keys).unwrap_or(u64::MAX), "key")
}

/// A chosen key, without its body, because there may be many keys.
struct Chosen {
    namespace: String,
    key: Vec<u8>,
    /// `None` means absent, for a key that was named.
    state: Option<KeyState>,
}

impl From<KeyInfo> for Chosen {
    fn from(info: KeyInfo) -> Self {
        Self {
            namespace: info.namespace().to_owned(),
            key: info.key().to_vec(),
            state: Some(info.state()),
        }
    }
}

fn chosen(args: &ForgetArgs, store: &Store) -> Result<Vec<Chosen>> {
    if let Some(key) = &args.key {
        let namespace = args.choice.namespace().open(store)?;
        let info = namespace.get(key)?;
        if let Some(info) = &info {
            check_forced(info, args.token)?;
        }
        return Ok(vec![Chosen {
            namespace: namespace.name().to_owned(),
            key: key.clone(),
            state: info.as_ref().map(KeyInfo::state),
        }]);
    }
    let states: Vec<KeyState> = args.state.iter().copied().map(KeyState::from).collect();
    let settled = [KeyState::Completed, KeyState::Failed, KeyState::Released];
    let states = if states.is_empty() {
        &settled[..]
    } else {
        &states[..]
    };
    if states.iter().any(|state| !settled.contains(state)) {
        return Err(Trouble::usage(
            "keys in doubt or in progress can only be forgotten one at a time: name the key and its --token",
        ));
    }
    let keys = args.choice.keys(store, states)?;
    keys.map(|info| Ok(Chosen::from(info?))).collect()
}

/// Refuses what the store would refuse, before anything is shown.
fn check_forced(info: &KeyInfo, token: Option<FencingToken>) -> Result<()> {
    let is_open = matches!(info.state(), KeyState::InDoubt | KeyState::InProgress);
    if !is_open || token == Some(info.token()) {
        return Ok(());
    }
    Err(Trouble::Refused(format!(
        "{} in namespace {} is {} under token {}: resolve it, or forget it anyway with --token {}",
        key_text::key(info.key(), false),
        info.namespace(),
        info.state(),
        info.token(),
        info.token()
    )))
}

/// Forgets a key; returns whether it existed.
fn forget(operator: &Operator, chosen: &Chosen, token: Option<FencingToken>) -> Result<bool> {
    Ok(match token {
        Some(token) => operator.forget_forced(&chosen.namespace, &chosen.key, token)?,
        None => operator.forget(&chosen.namespace, &chosen.key)?,
    })
}

fn row(chosen: &Chosen, was_there: Option<bool>, key_hex: bool) -> Row {
    let change = Change {
        action: "forget",
        namespace: &chosen.namespace,
        key: &chosen.key,
        state: chosen.state,
        becomes: None,
        done: was_there == Some(true),
    };
    let result = match (was_there, chosen.state) {
        (Some(true), _) => Some("forgotten"),
        (Some(false), _) | (None, None) => Some("was not there"),
        (None, Some(_)) => None,
    };
    change.row(key_hex).words("result", result)
}
