//! `restore`: makes a store from a backup, in a new directory.

use std::path::PathBuf;

use clap::Args;
use hapax::Store;

use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::backup::tell_damage;
use crate::verbs::verb::Verb;

/// The options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup, which is not changed
    from: PathBuf,

    /// The new directory
    into: PathBuf,
}

impl Verb for RestoreArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let mut bar = ProgressBar::new("copying");
        let report = Store::restore_with(&self.from, &self.into, |progress| bar.show(&progress))?;
        drop(bar);
        let row = Row::new()
            .text("store", &self.into.to_string_lossy())
            .number("damaged_audit_archives", report.damaged_audit_archives());
        screen.record(&row)?;
        screen.note("keys settled after the backup may run again: see docs/guarantees.md");
        Ok(tell_damage(&report, screen))
    }
}
