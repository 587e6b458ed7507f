//! `verify`: reads everything back and checks it, with the audit log.

use clap::Args;
use hapax::{Error, ErrorKind};

use crate::input::store_args::StoreArgs;
use crate::outcome::Outcome;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble, next_after};
use crate::verbs::verb::Verb;

/// The options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// What to do if only the audit log is damaged.
const NEXT_OF_AUDIT: &str = "the keys are whole, and claims get their answers: keep the damaged audit log as evidence, and compare it with a backup or an export";

impl Verb for VerifyArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        match verify(self) {
            Ok(Verdict::Whole(row)) => {
                screen.record(&row)?;
                Ok(Outcome::Done)
            }
            Ok(Verdict::AuditDamaged(error)) => {
                screen.record(&damaged(&error, Some(NEXT_OF_AUDIT)))?;
                Ok(Outcome::Found)
            }
            Err(Trouble::Store(error)) if error.kind() == ErrorKind::Damaged => {
                screen.record(&damaged(&error, next_after(ErrorKind::Damaged)))?;
                Ok(Outcome::Found)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

fn damaged(error: &Error, next: Option<&str>) -> Row {
    Row::new()
        .text("verdict", "damaged")
        .text("place", &error.to_string())
        .optional_text("next", next)
}

/// The verdict on a store whose keys are whole.
enum Verdict {
    Whole(Row),
    AuditDamaged(Error),
}

fn verify(args: &VerifyArgs) -> Result<Verdict> {
    let store = args.store.read()?;
    let mut bar = ProgressBar::new("reading");
    let report = store.verify_with(|progress| bar.show(&progress))?;
    drop(bar);
    let audit = match store.verify_audit() {
        Ok(audit) => audit,
        Err(error) if error.kind() == ErrorKind::Damaged => {
            return Ok(Verdict::AuditDamaged(error));
        }
        Err(error) => return Err(Trouble::from(error)),
    };
    let row = Row::new()
        .text("verdict", "whole")
        .number("segments", report.segments())
        .number("frames", report.frames())
        .number("records", report.records())
        .number("live_records", report.live_records())
        .number("audit_entries", audit.entries())
        .number("audit_archives", audit.archives());
    Ok(Verdict::Whole(row))
}
