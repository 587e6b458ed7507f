//! `restore`: makes a store in a new directory out of a backup.

use std::path::PathBuf;

use clap::Args;
use hapax::Store;

use super::backup::tell_damage;
use crate::progress::Bar;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result};

/// The options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup: it stays as it is
    from: PathBuf,

    /// The new directory
    into: PathBuf,
}

pub(crate) fn run(args: &RestoreArgs, screen: &mut Screen) -> Result<Outcome> {
    let mut bar = Bar::new("copying");
    let report = Store::restore_with(&args.from, &args.into, |progress| bar.show(&progress))?;
    drop(bar);
    let row = Row::new()
        .text("store", &args.into.to_string_lossy())
        .number("damaged_audit_archives", report.damaged_audit_archives());
    screen.record(&row)?;
    screen.note("keys that were settled after the backup may run again: see docs/guarantees.md");
    Ok(tell_damage(&report, screen))
}
