//! `compact`: frees the space of dead records, and says whether all of it is free.

use clap::Args;

use crate::input::store_args::StoreArgs;
use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `compact`.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    store: StoreArgs,
}

impl Verb for CompactArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.write()?;
        let mut bar = ProgressBar::new("compacting");
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
}
