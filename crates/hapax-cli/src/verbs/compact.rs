//! `compact`: gives back the space of what is dead, and says whether all of it is gone.

use clap::Args;

use crate::opening::StoreArgs;
use crate::progress::Bar;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result};

/// The options of `compact`.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(args: &CompactArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = args.store.write()?;
    let mut bar = Bar::new("compacting");
    let compacted = store.compact_with(|progress| bar.show(&progress))?;
    drop(bar);
    let disk_bytes = store.stats().disk_bytes();
    store.close()?;
    let row = Row::new()
        .number("segments_dropped", compacted.segments_dropped())
        .number("records_carried", compacted.records_carried())
        .size("freed_bytes", compacted.freed_bytes())
        .size("disk_bytes", disk_bytes)
        .flag("complete", compacted.is_complete());
    screen.record(&row)?;
    Ok(Outcome::Done)
}
