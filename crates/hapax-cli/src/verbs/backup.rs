//! `backup`: copies a store into a new directory.

use std::path::{Path, PathBuf};

use clap::Args;
use hapax::maintenance::BackupReport;

use crate::input::store_args::StoreArgs;
use crate::notation::shell;
use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::verb::Verb;

/// The options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The new directory
    into: PathBuf,
}

impl Verb for BackupArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        check_outside(&self.store.store, &self.into)?;
        let store = self.store.read()?;
        let mut bar = ProgressBar::new("copying");
        let report = store.backup_with(&self.into, |progress| bar.show(&progress))?;
        drop(bar);
        let row = Row::new()
            .text("backup", &self.into.to_string_lossy())
            .number("keys", store.stats().keys())
            .number("damaged_audit_archives", report.damaged_audit_archives());
        screen.record(&row)?;
        screen.note(&format!(
            "`hapax restore {} NEW` makes a store from it",
            shell::quoted(&self.into.to_string_lossy())
        ));
        Ok(tell_damage(&report, screen))
    }
}

/// Says whether a damaged audit log was copied as it is.
pub(crate) fn tell_damage(report: &BackupReport, screen: &Screen) -> Outcome {
    let is_damaged = report.damaged_audit_archives() > 0;
    if is_damaged {
        screen.note("the keys are whole, but the audit log is damaged, and was copied as it is; `hapax audit verify` names the place");
    }
    Outcome::found_if(is_damaged)
}

/// Refuses a backup inside the store, which would be lost with it or mistaken for it.
fn check_outside(store: &Path, into: &Path) -> Result<()> {
    // A new directory is in the first of its parents that exists.
    let real = into.ancestors().find_map(|folder| match folder {
        folder if folder.as_os_str().is_empty() => std::fs::canonicalize(".").ok(),
        folder => std::fs::canonicalize(folder).ok(),
    });
    match (std::fs::canonicalize(store), real) {
        (Ok(store), Some(real)) if real.starts_with(&store) => Err(Trouble::usage(
            "the backup would be inside the store: name a new directory elsewhere",
        )),
        _ => Ok(()),
    }
}
