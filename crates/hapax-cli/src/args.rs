//! The command line.

use clap::{CommandFactory, Parser, Subcommand};

use crate::outcome::Outcome;
use crate::output::format::OutputArgs;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs;
use crate::verbs::verb::Verb;

/// Shown below the help, and in docs/cli.md.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, and nothing was found that needs anybody
  1  something was found that does: stuck or in-doubt keys, damage, losses, differences, an absent key
  2  the command line, or a file that it names, makes no sense
  3  the store cannot be opened, read or written
  4  another process holds the store
  5  nothing was changed: run it again with --confirm
  6  the store refused: the text says why, and what to do next

Keys: text as it is, \\n \\t \\\\ \\xNN \\u{..} for other bytes, or 0x and hexadecimal digits. What a
screen shows can be given back. Results go to standard output, everything else to standard error.";

/// Looks into a deduplication store, settles what is stuck or in doubt, backs up, and repairs.
#[derive(Debug, Parser)]
#[command(name = "hapax", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(subcommand)]
    verb: VerbArgs,
}

impl Args {
    /// Does what the command line says.
    pub(crate) fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let verb: &dyn Verb = match &self.verb {
            VerbArgs::Info(verb) => verb,
            VerbArgs::Stat(verb) => verb,
            VerbArgs::Get(verb) => verb,
            VerbArgs::Scan(verb) => verb,
            VerbArgs::Stuck(verb) => verb,
            VerbArgs::InDoubt(verb) => verb,
            VerbArgs::Resolve(verb) => verb,
            VerbArgs::Reconcile(verb) => verb,
            VerbArgs::Release(verb) => verb,
            VerbArgs::Forget(verb) => verb,
            VerbArgs::Verify(verb) => verb,
            VerbArgs::Salvage(verb) => verb,
            VerbArgs::AcceptSalvage(verb) => verb,
            VerbArgs::Compact(verb) => verb,
            VerbArgs::Backup(verb) => verb,
            VerbArgs::Restore(verb) => verb,
            VerbArgs::Export(verb) => verb,
            VerbArgs::Import(verb) => verb,
            VerbArgs::Audit(verb) => verb,
            VerbArgs::Bench(verb) => verb,
            VerbArgs::Completions(verb) => return verb.run(Self::command(), screen),
            VerbArgs::Man(verb) => return verb.run(Self::command(), screen),
        };
        verb.run(screen)
    }
}

/// What there is to do.
#[derive(Debug, Subcommand)]
enum VerbArgs {
    /// Say what a store is: format, log, holder, namespaces, size; beside a live process too
    Info(verbs::info::InfoArgs),
    /// Count what is in it; what can be counted beside a live process, while there is one
    Stat(verbs::stat::StatArgs),
    /// Show one key
    Get(verbs::get::GetArgs),
    /// List keys
    Scan(verbs::scan::ScanArgs),
    /// List keys that are in doubt or unfinished, oldest first, with what to do next
    Stuck(verbs::stuck::StuckArgs),
    /// List keys in doubt, oldest first
    InDoubt(verbs::in_doubt::InDoubtArgs),
    /// Settle a key in doubt (changes the store)
    Resolve(verbs::resolve::ResolveArgs),
    /// Settle keys in doubt from a file of JSON lines (changes the store)
    Reconcile(verbs::reconcile::ReconcileArgs),
    /// Free a key that somebody is said to run (changes the store)
    Release(verbs::release::ReleaseArgs),
    /// Forget keys, so that they can be claimed again (changes the store)
    Forget(verbs::forget::ForgetArgs),
    /// Read everything back and check it
    Verify(verbs::verify::VerifyArgs),
    /// Save what is left of a damaged store into a new directory
    Salvage(verbs::salvage::SalvageArgs),
    /// Let a store that was salvaged with losses grant again (changes the store)
    AcceptSalvage(verbs::accept_salvage::AcceptSalvageArgs),
    /// Give back the space of what is dead (changes the store)
    Compact(verbs::compact::CompactArgs),
    /// Copy a store into a new directory
    Backup(verbs::backup::BackupArgs),
    /// Make a store in a new directory out of a backup
    Restore(verbs::restore::RestoreArgs),
    /// Write all keys as JSON lines
    Export(verbs::export::ExportArgs),
    /// Read keys from JSON lines into a store (changes the store, or makes one)
    Import(verbs::import::ImportArgs),
    /// Show or check the audit log
    Audit(verbs::audit::AuditArgs),
    /// Measure a few figures on this machine, in a temporary store; an orientation
    Bench(verbs::bench::BenchArgs),
    /// Write a script of completions for a shell
    Completions(verbs::completions::CompletionsArgs),
    /// Write the manual page
    Man(verbs::man::ManArgs),
}
