//! `man`: the manual page.

use clap::{Args, CommandFactory};

use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// The options of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page of this verb instead of that of the whole
    verb: Option<String>,
}

pub(crate) fn run(args: &ManArgs, screen: &mut Screen) -> Result<Outcome> {
    let mut command = crate::args::Args::command();
    command.build();
    if let Some(name) = &args.verb {
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
