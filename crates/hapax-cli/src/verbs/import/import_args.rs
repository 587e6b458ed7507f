//! [`ImportArgs`]: the verb `import`, and its options.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use hapax::Store;

use crate::input::action_args::ActionArgs;
use crate::input::json_file::JsonFile;
use crate::input::store_args::StoreArgs;
use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::import::completeness::{self, Checked};
use crate::verbs::import::key_import::KeyImport;
use crate::verbs::verb::Verb;

/// The options of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The file from `export`; - is standard input
    file: PathBuf,

    /// Accept a file that was cut, or changed since its export
    #[arg(long)]
    partial: bool,

    #[command(flatten)]
    action: ActionArgs,
}

impl Verb for ImportArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        // Checks everything before it creates a store, so that a mistyped name, a cut file or a missing
        // actor leaves nothing behind.
        let file = JsonFile::open(&self.file)?;
        let Checked { unmade, cut } = completeness::check(&file, self.partial, screen)?;
        let by = self.action.confirmed()?;
        let store = self.store_for(by.is_some(), &unmade)?;
        let mut import = KeyImport::new(by.map(|by| store.operator(by)), store);
        let confirm = self.action.confirm;
        let read = import.read(&file, cut, screen);
        let ended = match read {
            Ok(()) if confirm => import.store.close().map_err(Trouble::from),
            read => read,
        };
        // Keys stay imported when a later one fails, so the tally is shown after an error, too.
        let key_hex = screen.key_hex();
        screen.list(
            import
                .problems
                .iter()
                .map(|problem| Ok(problem.row(key_hex))),
        )?;
        screen.record(&import.tally.row(confirm && ended.is_ok()))?;
        ended?;
        match self.action.end(screen) {
            Outcome::Done => Ok(Outcome::found_if(import.tally.has_problems())),
            unconfirmed => Ok(unconfirmed),
        }
    }
}

impl ImportArgs {
    /// The store to import into, which has the namespaces that the file does not define.
    fn store_for(&self, confirm: bool, unmade: &BTreeMap<String, u64>) -> Result<Store> {
        let is_new = self.store.is_absent()?;
        if let Some((name, number)) = unmade.first_key_value().filter(|_| is_new) {
            return Err(Trouble::in_line(
                *number,
                format!("no earlier line defines the namespace {name}, and no store has it"),
            ));
        }
        let store = match (is_new, confirm) {
            (true, true) => self.store.create()?,
            // An empty store in memory stands for the new one.
            (true, false) => Store::in_memory().open()?,
            (false, true) => self.store.write()?,
            (false, false) => self.store.read()?,
        };
        for name in unmade.keys() {
            store.open_namespace(name)?;
        }
        Ok(store)
    }
}
