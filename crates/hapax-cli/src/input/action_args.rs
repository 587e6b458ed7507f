//! [`ActionArgs`]: the actor and the reason of a change, and its confirmation.

use clap::Args;
use hapax::Store;
use hapax::operator::{Attribution, Operator};

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};

/// The options of every verb that changes keys.
#[derive(Debug, Args)]
pub(crate) struct ActionArgs {
    /// Make the change; without this, only show what would change
    #[arg(long, requires = "why")]
    pub(crate) confirm: bool,

    /// The actor, for the audit log [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// The reason, for the audit log; required with --confirm
    #[arg(long = "reason", id = "why", value_name = "TEXT")]
    reason: Option<String>,
}

impl ActionArgs {
    /// A handle that acts in this name.
    pub(crate) fn operator(&self, store: &Store) -> Result<Operator> {
        Ok(store.operator(self.action()?))
    }

    /// The actor and the reason; `None` in a dry run.
    pub(crate) fn confirmed(&self) -> Result<Option<Attribution>> {
        self.confirm.then(|| self.action()).transpose()
    }

    fn action(&self) -> Result<Attribution> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let actor = self.actor.clone().or_else(user).ok_or_else(|| {
            Trouble::usage("no actor is given, and $USER is not set: add --actor NAME")
        })?;
        let reason = self.reason.clone().unwrap_or_default();
        if reason.trim().is_empty() {
            return Err(Trouble::usage(
                "the reason is empty: give one for the audit log",
            ));
        }
        Ok(Attribution::new(actor, reason)?)
    }

    /// The outcome of a verb that made its change, or only showed it.
    pub(crate) fn end(&self, screen: &Screen) -> Outcome {
        if self.confirm {
            return Outcome::Done;
        }
        screen.note("nothing was changed: run it again with --confirm and --reason TEXT");
        Outcome::Unconfirmed
    }
}
