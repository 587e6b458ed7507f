//! [`Args`]: the command line as a whole. Only `main.rs` knows it.

use clap::{CommandFactory, Parser, Subcommand};

use crate::outcome::Outcome;
use crate::output::format::OutputArgs;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs;
use crate::verbs::verb::Verb;

/// The end of the help; docs/cli.md repeats the exit codes.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, and nothing needs attention
  1  something needs attention: stuck or in-doubt keys, damage, losses, differences, an absent key
  2  the command line, or a file that it names, is invalid
  3  the store cannot be opened, read or written
  4  another process holds the store
  5  nothing was changed: run it again with --confirm
  6  the store refused: the text says why, and what to do next

Write a key as text, with \\n \\t \\\\ \\xNN \\u{..} for other bytes, or as 0x and hexadecimal digits.
A key can be copied from any output. Results go to standard output, everything else to standard error.";

/// Inspects a deduplication store, settles stuck and in-doubt keys, backs up, and repairs.
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

/// Every verb, with its options.
#[derive(Debug, Subcommand)]
enum VerbArgs {
    /// Describe a store: format, log, holder, namespaces, size; works beside a live process
    Info(verbs::info::InfoArgs),
    /// Count keys by state; beside a live process, show what can be read from outside
    Stat(verbs::stat::StatArgs),
    /// Show one key
    Get(verbs::get::GetArgs),
    /// List keys
    Scan(verbs::scan::ScanArgs),
    /// List unfinished and in-doubt keys, oldest first, with what to do next
    Stuck(verbs::stuck::StuckArgs),
    /// List keys in doubt, oldest first
    InDoubt(verbs::in_doubt::InDoubtArgs),
    /// Settle a key in doubt (changes the store)
    Resolve(verbs::resolve::ResolveArgs),
    /// Settle many keys in doubt, from a file of JSON lines (changes the store)
    Reconcile(verbs::reconcile::ReconcileArgs),
    /// Free a key in progress (changes the store)
    Release(verbs::release::ReleaseArgs),
    /// Forget keys, so that they can be claimed again (changes the store)
    Forget(verbs::forget::ForgetArgs),
    /// Read everything back and check it
    Verify(verbs::verify::VerifyArgs),
    /// Save what is left of a damaged store into a new directory
    Salvage(verbs::salvage::SalvageArgs),
    /// Let a store that was salvaged with losses grant again (changes the store)
    AcceptSalvage(verbs::accept_salvage::AcceptSalvageArgs),
    /// Free the space of dead records (changes the store)
    Compact(verbs::compact::CompactArgs),
    /// Copy a store into a new directory
    Backup(verbs::backup::BackupArgs),
    /// Make a store from a backup, in a new directory
    Restore(verbs::restore::RestoreArgs),
    /// Write keys as JSON lines
    Export(verbs::export::ExportArgs),
    /// Read keys from JSON lines into a store (changes the store, or creates one)
    Import(verbs::import::ImportArgs),
    /// Show or check the audit log
    Audit(verbs::audit::AuditArgs),
    /// Measure rough figures for this machine, in a temporary store
    Bench(verbs::bench::BenchArgs),
    /// Write a completion script for a shell
    Completions(verbs::completions::CompletionsArgs),
    /// Write the manual page
    Man(verbs::man::ManArgs),
}
