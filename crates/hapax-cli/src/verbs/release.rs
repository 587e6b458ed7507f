//! `release`: frees a key that somebody is said to run.

use clap::Args;
use hapax::{FencingToken, State};

use super::resolve::parse_token;
use crate::action::{ActionArgs, Change};
use crate::choice::KeyBytes;
use crate::escaped;
use crate::opening::{NamespaceArgs, StoreArgs};
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// The options of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = escaped::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// The token of the holder, as `stuck` shows it
    #[arg(long, value_parser = parse_token)]
    token: FencingToken,

    #[command(flatten)]
    action: ActionArgs,
}

pub(crate) fn run(args: &ReleaseArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = if args.action.confirm {
        args.store.write()?
    } else {
        args.store.read()?
    };
    let namespace = args.namespace.open(&store)?;
    let shown = escaped::key(&args.key, false);
    let refused =
        |text: String| Trouble::Refused(format!("{shown} of {} {text}", namespace.name()));
    let Some(info) = namespace.get(&args.key)? else {
        return Err(refused("is absent: nobody holds it".to_owned()));
    };
    match info.state() {
        State::InProgress => {}
        State::InDoubt => {
            return Err(refused(
                "is in doubt: look its effect up, and say what came of it with `hapax resolve`"
                    .to_owned(),
            ));
        }
        state => {
            return Err(refused(format!(
                "is {state}: nobody holds it, and the next claim is answered at once"
            )));
        }
    }
    if info.token() != args.token {
        let text = format!(
            "is held under token {}, not {}: look again with `hapax get`",
            info.token(),
            args.token
        );
        return Err(refused(text));
    }
    if args.action.confirm {
        let operator = args.action.operator(&store)?;
        operator.release(namespace.name(), &args.key, args.token)?;
    }
    let change = Change {
        action: "release",
        namespace: namespace.name(),
        key: &args.key,
        state: Some(State::InProgress),
        becomes: Some(State::Released),
        done: args.action.confirm,
    };
    screen.list([Ok(change.row(screen.key_hex()))])?;
    if args.action.confirm {
        store.close()?;
    }
    Ok(args.action.end(screen))
}
