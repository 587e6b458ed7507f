//! `completions`: writes a completion script for a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::Result;

/// The options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    /// Writes the script. `command` is the command line as a whole.
    pub(crate) fn run(&self, mut command: Command, screen: &mut Screen) -> Result<Outcome> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "hapax", &mut script);
        screen.raw(&script)?;
        Ok(Outcome::Done)
    }
}
