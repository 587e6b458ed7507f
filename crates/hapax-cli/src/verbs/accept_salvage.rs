//! `accept-salvage`: lets a store that was salvaged with losses grant again.

use clap::Args;
use hapax::Store;

use crate::input::action_args::ActionArgs;
use crate::input::store_args::StoreArgs;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `accept-salvage`.
#[derive(Debug, Args)]
pub(crate) struct AcceptSalvageArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    action: ActionArgs,
}

impl Verb for AcceptSalvageArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let row = |done| {
            Row::new()
                .text("action", "accept salvage")
                .flag("done", done)
        };
        if !Store::survey(&self.store.store)?.is_salvaged() {
            screen.record(&row(false))?;
            screen.note(
                "there is nothing to accept: the store was not salvaged with losses, or they are already accepted",
            );
            return Ok(Outcome::Done);
        }
        if self.action.confirm {
            let store = self.store.write()?;
            self.action.operator(&store)?.accept_salvage()?;
            store.close()?;
        } else {
            self.store.read()?;
        }
        screen.record(&row(self.action.confirm))?;
        Ok(self.action.end(screen))
    }
}
