//! `backup`: copies a store into a new directory.

use std::path::PathBuf;

use clap::Args;

use crate::escaped;
use crate::opening::StoreArgs;
use crate::progress::Bar;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result};

/// The options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The new directory
    into: PathBuf,
}

pub(crate) fn run(args: &BackupArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = args.store.read()?;
    let mut bar = Bar::new("copying");
    store.backup_with(&args.into, |progress| bar.show(&progress))?;
    drop(bar);
    let row = Row::new()
        .text("backup", &args.into.to_string_lossy())
        .number("keys", store.stats().keys());
    screen.record(&row)?;
    screen.note(&format!(
        "`hapax restore {} NEW` makes a store of it",
        escaped::quoted(&args.into.to_string_lossy())
    ));
    Ok(Outcome::Done)
}
