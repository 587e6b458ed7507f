//! What each verb does: a file for each, with its options.

pub(crate) mod accept_salvage;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod export;
pub(crate) mod forget;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod in_doubt;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod reconcile;
pub(crate) mod release;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod salvage;
pub(crate) mod scan;
pub(crate) mod stat;
pub(crate) mod stuck;
pub(crate) mod verify;

use crate::args::Verb;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result};

/// Does what the command line says.
pub(crate) fn run(verb: Verb, screen: &mut Screen) -> Result<Outcome> {
    match verb {
        Verb::Info(args) => info::run(&args, screen),
        Verb::Stat(args) => stat::run(&args, screen),
        Verb::Get(args) => get::run(&args, screen),
        Verb::Scan(args) => scan::run(&args, screen),
        Verb::Stuck(args) => stuck::run(&args, screen),
        Verb::InDoubt(args) => in_doubt::run(&args, screen),
        Verb::Resolve(args) => resolve::run(&args, screen),
        Verb::Reconcile(args) => reconcile::run(&args, screen),
        Verb::Release(args) => release::run(&args, screen),
        Verb::Forget(args) => forget::run(&args, screen),
        Verb::Verify(args) => verify::run(&args, screen),
        Verb::Salvage(args) => salvage::run(&args, screen),
        Verb::AcceptSalvage(args) => accept_salvage::run(&args, screen),
        Verb::Compact(args) => compact::run(&args, screen),
        Verb::Backup(args) => backup::run(&args, screen),
        Verb::Restore(args) => restore::run(&args, screen),
        Verb::Export(args) => export::run(&args, screen),
        Verb::Import(args) => import::run(&args, screen),
        Verb::Audit(args) => audit::run(&args, screen),
        Verb::Bench(args) => bench::run(&args, screen),
        Verb::Completions(args) => completions::run(&args, screen),
        Verb::Man(args) => man::run(&args, screen),
    }
}
