//! `import`: keys from JSON lines, as `export` wrote them.

mod line;
mod whole;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use hapax::{ErrorKind, KeyInfo, Namespace, Operator, Policy, Store};

use self::line::{KeyLine, Line};
use self::whole::Checked;
use crate::action::ActionArgs;
use crate::escaped;
use crate::json_file::JsonFile;
use crate::opening::StoreArgs;
use crate::progress::Bar;
use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// The options of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The file that `export` wrote; - is standard input
    file: PathBuf,

    /// Take what is there of a file that was cut, or changed since it was exported
    #[arg(long)]
    partial: bool,

    #[command(flatten)]
    action: ActionArgs,
}

pub(crate) fn run(args: &ImportArgs, screen: &mut Screen) -> Result<Outcome> {
    // Before there is a store: a name that was mistyped, a file that was cut or a missing actor
    // leaves nothing behind.
    let file = JsonFile::open(&args.file)?;
    let Checked { unmade, cut } = whole::check(&file, args.partial, screen)?;
    let by = args.action.confirmed()?;
    let is_new = args.store.is_absent()?;
    if let Some((name, number)) = unmade.first_key_value().filter(|_| is_new) {
        return Err(wrong(
            *number,
            format!(
                "no line before it says what namespace {name} is, and there is no store that has it"
            ),
        ));
    }
    let store = match (is_new, &by) {
        (true, Some(_)) => args.store.create()?,
        // An empty one stands for it.
        (true, None) => Store::in_memory().open()?,
        (false, Some(_)) => args.store.write()?,
        (false, None) => args.store.read()?,
    };
    for name in unmade.keys() {
        store.open_namespace(name)?;
    }
    let mut import = Import::new(by.map(|by| store.operator(by)), store);
    let confirm = args.action.confirm;
    let read = import.read(&file, cut, screen);
    let ended = match read {
        Ok(()) if confirm => import.store.close().map_err(Trouble::from),
        read => read,
    };
    // What was imported before an error stays imported, so it is told all the same.
    let (tally, problems) = (import.tally, import.problems);
    let rows = problems
        .into_iter()
        .map(|problem| Ok(problem.row(screen.key_hex())));
    let rows: Vec<Result<Row>> = rows.collect();
    screen.list(rows)?;
    screen.record(&tally.row(confirm && ended.is_ok()))?;
    ended?;
    match args.action.end(screen) {
        Outcome::Done => Ok(Outcome::found_if(tally.differ + tally.refused > 0)),
        unconfirmed => Ok(unconfirmed),
    }
}

/// A line that makes no sense.
fn wrong(number: u64, text: impl std::fmt::Display) -> Trouble {
    Trouble::usage(format!("line {number}: {text}"))
}

/// What came of the lines.
#[derive(Debug, Default)]
struct Tally {
    imported: u64,
    there: u64,
    expired: u64,
    differ: u64,
    refused: u64,
}

impl Tally {
    fn row(&self, done: bool) -> Row {
        Row::new()
            .flag("done", done)
            .number("imported", self.imported)
            .number("there_already", self.there)
            .number("expired", self.expired)
            .number("differ", self.differ)
            .number("refused", self.refused)
    }
}

/// A key that was not imported, and why.
#[derive(Debug)]
struct Problem {
    line: u64,
    namespace: String,
    key: Vec<u8>,
    result: &'static str,
    text: String,
}

impl Problem {
    fn row(&self, key_hex: bool) -> Row {
        Row::new()
            .number("line", self.line)
            .text("namespace", &self.namespace)
            .key(&self.key, key_hex)
            .text("result", self.result)
            .text("text", &self.text)
    }
}

/// Whether an error keeps one key out, and not all of them.
fn is_of_one_key(kind: ErrorKind) -> bool {
    use ErrorKind::{AtCapacity, Invalid, TooLarge};
    matches!(kind, AtCapacity | Invalid | TooLarge)
}

/// Keys that are brought in together, in one commit.
const BATCH_KEYS_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Problems that are told one by one; all are counted.
const PROBLEMS_MAX: usize = 10_000;

/// An import under way.
struct Import {
    store: Store,
    /// None is a dry run.
    operator: Option<Operator>,
    /// None is one that would be made.
    namespaces: HashMap<String, Option<Namespace>>,
    batch: Vec<KeyLine>,
    batch_bytes: usize,
    tally: Tally,
    problems: Vec<Problem>,
}

impl Import {
    fn new(operator: Option<Operator>, store: Store) -> Self {
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

    fn read(&mut self, file: &JsonFile, cut: Option<u64>, screen: &Screen) -> Result<()> {
        let mut bar = Bar::new("reading");
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
        match Line::parse(number, line).map_err(|text| wrong(number, text))? {
            Line::Export { .. } | Line::End(_) => Ok(()),
            Line::Namespace { name, policy } => self.namespace(&name, policy, screen),
            Line::Key(key) => self.key(*key),
        }
    }

    fn namespace(&mut self, name: &str, policy: Policy, screen: &Screen) -> Result<()> {
        let space = match self.store.open_namespace(name) {
            Ok(space) => {
                if *space.policy() != policy {
                    screen.note(&format!(
                        "namespace {name} keeps the policy that it has here"
                    ));
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

    /// Finds what of the batch is new, and brings it in.
    fn settle_batch(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let now_secs = self.store.stats().store_secs();
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

    /// A key that is there already.
    fn met(&mut self, key: &KeyLine, there: &KeyInfo) {
        if key.is_same(there) {
            self.tally.there += 1;
        } else {
            let text = format!(
                "it is {} here, and {} in the file",
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
                // It stands in the file twice.
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
        // Where the store takes nothing any more, the rest of the file need not be tried.
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
