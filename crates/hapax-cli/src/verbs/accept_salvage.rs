//! `accept-salvage`: lets a store that was salvaged with losses grant again.

use clap::Args;
use hapax::Store;

use crate::action::ActionArgs;
use crate::opening::StoreArgs;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result};

/// The options of `accept-salvage`.
#[derive(Debug, Args)]
pub(crate) struct AcceptSalvageArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    action: ActionArgs,
}

pub(crate) fn run(args: &AcceptSalvageArgs, screen: &mut Screen) -> Result<Outcome> {
    let row = |done| {
        Row::new()
            .text("action", "accept salvage")
            .flag("done", done)
    };
    if !Store::survey(&args.store.store)?.is_salvaged() {
        screen.record(&row(false))?;
        screen.note(
            "there is nothing to accept: the store was not salvaged with losses, or somebody has accepted them",
        );
        return Ok(Outcome::Done);
    }
    if args.action.confirm {
        let store = args.store.write()?;
        args.action.operator(&store)?.accept_salvage()?;
        store.close()?;
    } else {
        args.store.read()?;
    }
    screen.record(&row(args.action.confirm))?;
    Ok(args.action.end(screen))
}
