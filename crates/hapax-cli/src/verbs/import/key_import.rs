//! [`KeyImport`]: imports keys in batches, each in one commit.

use std::collections::HashMap;

use hapax::operator::Operator;
use hapax::{ErrorKind, KeyInfo, Namespace, Policy, Store};

use crate::input::json_file::JsonFile;
use crate::notation::escaped;
use crate::notation::time;
use crate::output::progress_bar::ProgressBar;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::import::export_line::{ExportLine, KeyLine};
use crate::verbs::import::tally::{Problem, Tally};

/// Whether an error concerns one key, and not all of them.
fn is_of_one_key(kind: ErrorKind) -> bool {
    use ErrorKind::{AtCapacity, Invalid, TooLarge};
    matches!(kind, AtCapacity | Invalid | TooLarge)
}

/// The most keys of a batch.
const BATCH_KEYS_MAX: usize = 512;
/// The most bytes of the bodies of a batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most problems that are listed; all are counted.
const PROBLEMS_MAX: usize = 10_000;

/// An import under way.
pub(crate) struct KeyImport {
    pub(crate) store: Store,
    /// `None` in a dry run.
    operator: Option<Operator>,
    /// `None` for a namespace that a dry run would create.
    namespaces: HashMap<String, Option<Namespace>>,
    batch: Vec<KeyLine>,
    batch_bytes: usize,
    pub(crate) tally: Tally,
    pub(crate) problems: Vec<Problem>,
}

impl KeyImport {
    pub(crate) fn new(operator: Option<Operator>, store: Store) -> Self {
        Self {
            store,
            operator,
            namespaces: HashMap::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            tally: Tally::default(),
            problems: Vec::new(),
        }
    }

    pub(crate) fn read(
        &mut self,
        file: &JsonFile,
        cut: Option<u64>,
        screen: &Screen,
    ) -> Result<()> {
        let mut bar = ProgressBar::new("reading");
        for line in file.lines()? {
            let (number, line) = line?;
            if cut != Some(number) {
                self.line(number, &line, screen)?;
            }
            bar.lines(number);
        }
        self.settle_batch()
    }

    fn line(&mut self, number: u64, line: &[u8], screen: &Screen) -> Result<()> {
        match ExportLine::parse(number, line).map_err(|text| Trouble::in_line(number, text))? {
            ExportLine::Export { .. } | ExportLine::End(_) => Ok(()),
            ExportLine::Namespace { name, policy } => self.namespace(&name, policy, screen),
            ExportLine::Key(key) => self.key(*key),
        }
    }

    fn namespace(&mut self, name: &str, policy: Policy, screen: &Screen) -> Result<()> {
        let space = match self.store.open_namespace(name) {
            Ok(space) => {
                if *space.policy() != policy {
                    screen.note(&format!("namespace {name} keeps its policy in this store"));
                }
                Some(space)
            }
            Err(error) if error.kind() == ErrorKind::NoNamespace && self.operator.is_some() => {
                Some(self.store.namespace(name, policy)?)
            }
            Err(error) if error.kind() == ErrorKind::NoNamespace => None,
            Err(error) => return Err(error.into()),
        };
        self.namespaces.insert(name.to_owned(), space);
        Ok(())
    }

    fn key(&mut self, key: KeyLine) -> Result<()> {
        if !self.namespaces.contains_key(&key.namespace) {
            let space = self.store.open_namespace(&key.namespace)?;
            self.namespaces.insert(key.namespace.clone(), Some(space));
        }
        let other = self
            .batch
            .first()
            .is_some_and(|first| first.namespace != key.namespace);
        let is_full = self.batch.len() >= BATCH_KEYS_MAX || self.batch_bytes >= BATCH_BYTES_MAX;
        if other || is_full {
            self.settle_batch()?;
        }
        self.batch_bytes += key.body.len();
        self.batch.push(key);
        Ok(())
    }

    /// Imports the keys of the batch that are new.
    fn settle_batch(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let now_secs = time::secs(self.store.stats().store_time());
        let space = self.namespaces.get(&first.namespace).cloned().flatten();
        let mut new = Vec::with_capacity(batch.len());
        for key in batch {
            let there = match &space {
                Some(space) => space.get(&key.key)?,
                None => None,
            };
            match there {
                Some(there) => self.met(&key, &there),
                None if key.is_expired(now_secs) => self.tally.expired += 1,
                None => new.push(key),
            }
        }
        match (self.operator.clone(), space) {
            (Some(operator), Some(space)) => self.bring(&operator, &space, &new, now_secs),
            _ => {
                self.tally.imported += new.len() as u64;
                Ok(())
            }
        }
    }

    /// Counts a key that the store already has.
    fn met(&mut self, key: &KeyLine, there: &KeyInfo) {
        if key.is_same(there) {
            self.tally.there += 1;
        } else {
            let text = format!(
                "the key is {} in the store, and {} in the file",
                there.state(),
                key.state
            );
            self.problem(key, "differs", text);
        }
    }

    fn bring(
        &mut self,
        operator: &Operator,
        space: &Namespace,
        keys: &[KeyLine],
        now_secs: u64,
    ) -> Result<()> {
        let items = keys.iter().map(|key| key.insertion(now_secs));
        let inserted = operator.insert_many(space.name(), items)?;
        let mut ends = None;
        for (key, inserted) in keys.iter().zip(inserted) {
            match inserted {
                Ok(true) => self.tally.imported += 1,
                // The file has the key twice.
                Ok(false) => {
                    if let Some(there) = space.get(&key.key)? {
                        self.met(key, &there);
                    }
                }
                Err(error) => {
                    self.problem(key, "refused", error.to_string());
                    ends = ends.or(Some(error).filter(|error| !is_of_one_key(error.kind())));
                }
            }
        }
        // Stops if the store refuses every key.
        ends.map_or(Ok(()), |error| Err(error.into()))
    }

    fn problem(&mut self, key: &KeyLine, result: &'static str, text: String) {
        let counter = if result == "differs" {
            &mut self.tally.differ
        } else {
            &mut self.tally.refused
        };
        *counter += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                line: key.line,
                namespace: key.namespace.clone(),
                key: key.key.clone(),
                result,
                text: escaped::line(&text),
            });
        }
    }
}
