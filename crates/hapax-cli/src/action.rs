//! [`ActionArgs`]: who changes something and why, and whether it is meant.

use clap::Args;
use hapax::{Action, Operator, State, Store};

use crate::row::Row;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// Who, why, and whether it is meant.
#[derive(Debug, Args)]
pub(crate) struct ActionArgs {
    /// Do it; without this nothing is changed, and what would be is shown
    #[arg(long, requires = "why")]
    pub(crate) confirm: bool,

    /// Who does it, for the audit log [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Why, for the audit log; has to be given with --confirm
    #[arg(long = "reason", id = "why", value_name = "TEXT")]
    reason: Option<String>,
}

impl ActionArgs {
    /// The handle that does it in this name.
    pub(crate) fn operator(&self, store: &Store) -> Result<Operator> {
        Ok(store.operator(self.action()?))
    }

    /// Who does it and why; none in a dry run.
    pub(crate) fn confirmed(&self) -> Result<Option<Action>> {
        self.confirm.then(|| self.action()).transpose()
    }

    fn action(&self) -> Result<Action> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        let actor = self.actor.clone().or_else(user).ok_or_else(|| {
            Trouble::usage("nobody is named, and $USER is not set: add --actor NAME")
        })?;
        let reason = self.reason.clone().unwrap_or_default();
        if reason.trim().is_empty() {
            return Err(Trouble::usage(
                "the reason is empty: say why, for whoever reads the audit log",
            ));
        }
        Ok(Action::new(actor, reason)?)
    }

    /// How a verb ends that has changed something, or would have.
    pub(crate) fn end(&self, screen: &Screen) -> Outcome {
        if self.confirm {
            return Outcome::Done;
        }
        screen.note("nothing was changed: run it again with --confirm and --reason TEXT");
        Outcome::Unconfirmed
    }
}

/// One key that is changed, or would be.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) action: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) key: &'a [u8],
    /// None is absent.
    pub(crate) state: Option<State>,
    /// None is absent.
    pub(crate) becomes: Option<State>,
    pub(crate) done: bool,
}

impl Change<'_> {
    pub(crate) fn row(&self, key_hex: bool) -> Row {
        Row::new()
            .text("action", self.action)
            .text("namespace", self.namespace)
            .key(self.key, key_hex)
            .named_state("state", self.state)
            .named_state("becomes", self.becomes)
            .flag("done", self.done)
    }
}

/// Does one thing after the other, up to the first that fails.
pub(crate) fn all_up_to_an_error<D>(deeds: impl Iterator<Item = Result<D>>) -> Vec<Result<D>> {
    let mut results = Vec::new();
    for result in deeds {
        let failed = result.is_err();
        results.push(result);
        if failed {
            break;
        }
    }
    results
}

/// The rows of what was done and what came of it, or with `None` of what would have been done.
pub(crate) fn told<T, D>(
    done: Option<Vec<Result<D>>>,
    all: &[T],
    row: impl Fn(&T, Option<D>) -> Row,
) -> impl Iterator<Item = Result<Row>> {
    let results: Vec<Result<Option<D>>> = match done {
        Some(results) => results.into_iter().map(|result| result.map(Some)).collect(),
        None => all.iter().map(|_| Ok(None)).collect(),
    };
    let pairs = results.into_iter().zip(all);
    pairs.map(move |(result, one)| result.map(|came| row(one, came)))
}
