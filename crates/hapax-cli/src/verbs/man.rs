//! `man`: writes a manual page.

use clap::{Args, Command};

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};

/// The options of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the page of this verb
    verb: Option<String>,
}

impl ManArgs {
    /// Writes the page. `command` is the command line as a whole.
    pub(crate) fn run(&self, mut command: Command, screen: &mut Screen) -> Result<Outcome> {
        command.build();
        if let Some(name) = &self.verb {
            let verb = command.find_subcommand(name).cloned();
            command = verb.ok_or_else(|| Trouble::usage(format!("there is no verb {name:?}")))?;
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(Trouble::file("writing the results"))?;
        screen.raw(&page)?;
        Ok(Outcome::Done)
    }
}
