//! [`ActionArgs`]: who changes something and why, and whether it is meant.

use clap::Args;
use hapax::{Action, Operator, Store};

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};

/// Who, why, and whether it is meant.
#[derive(Debug, Args)]
pub(crate) struct ActionArgs {
    /// Do it; without this nothing is changed, and what would be is shown
    #[arg(long, requires = "why")]
    pub(crate) confirm: bool,

    /// Who does it, for the audit log [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Why, for the audit log; has to be given with --confirm
    #[arg(long = "reason", id = "why", value_name = "TEXT")]
    reason: Option<String>,
}

impl ActionArgs {
    /// The handle that does it in this name.
    pub(crate) fn operator(&self, store: &Store) -> Result<Operator> {
        Ok(store.operator(self.action()?))
    }

    /// Who does it and why; none in a dry run.
    pub(crate) fn confirmed(&self) -> Result<Option<Action>> {
        self.confirm.then(|| self.action()).transpose()
    }

    fn action(&self) -> Result<Action> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let actor = self.actor.clone().or_else(user).ok_or_else(|| {
            Trouble::usage("nobody is named, and $USER is not set: add --actor NAME")
        })?;
        let reason = self.reason.clone().unwrap_or_default();
        if reason.trim().is_empty() {
            return Err(Trouble::usage(
                "the reason is empty: say why, for whoever reads the audit log",
            ));
        }
        Ok(Action::new(actor, reason)?)
    }

    /// How a verb ends that has changed something, or would have.
    pub(crate) fn end(&self, screen: &Screen) -> Outcome {
        if self.confirm {
            return Outcome::Done;
        }
        screen.note("nothing was changed: run it again with --confirm and --reason TEXT");
        Outcome::Unconfirmed
    }
}
