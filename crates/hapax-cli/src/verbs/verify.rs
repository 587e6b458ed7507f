//! `verify`: reads everything back and checks it.

use clap::Args;
use hapax::ErrorKind;

use crate::opening::StoreArgs;
use crate::progress::Bar;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble, next_after};

/// The options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(args: &VerifyArgs, screen: &mut Screen) -> Result<Outcome> {
    match verify(args) {
        Ok(row) => {
            screen.record(&row)?;
            Ok(Outcome::Done)
        }
        Err(Trouble::Store(error)) if error.kind() == ErrorKind::Damaged => {
            let row = Row::new()
                .text("verdict", "damaged")
                .text("place", &error.to_string())
                .optional_text("next", next_after(ErrorKind::Damaged));
            screen.record(&row)?;
            Ok(Outcome::Found)
        }
        Err(trouble) => Err(trouble),
    }
}

fn verify(args: &VerifyArgs) -> Result<Row> {
    let store = args.store.read()?;
    let mut bar = Bar::new("reading");
    let report = store.verify_with(|progress| bar.show(&progress))?;
    Ok(Row::new()
        .text("verdict", "whole")
        .number("segments", report.segments())
        .number("frames", report.frames())
        .number("records", report.records())
        .number("live_records", report.live_records()))
}
