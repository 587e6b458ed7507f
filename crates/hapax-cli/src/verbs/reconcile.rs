//! `reconcile`: settles many doubts, from a file with a line for each.

use std::path::{Path, PathBuf};

use clap::Args;
use hapax::{Doubt, Namespace, Resolution, Store};
use serde::Deserialize;

use super::resolve::{self, parse_token};
use crate::action::{ActionArgs, all_up_to_an_error, told};
use crate::escaped::many;
use crate::json_file::{either, fault, key, lines};
use crate::opening::StoreArgs;
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// The options of `reconcile`.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The file: a line for each doubt, with `namespace`, `key` or `key_hex`, `token`, and one of
    /// `happened`, `happened_base64`, `failed`, `failed_base64` and `never_happened`
    file: PathBuf,

    #[command(flatten)]
    action: ActionArgs,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    namespace: String,
    key: Option<String>,
    key_hex: Option<String>,
    token: String,
    happened: Option<String>,
    happened_base64: Option<String>,
    failed: Option<String>,
    failed_base64: Option<String>,
    #[serde(default)]
    never_happened: bool,
}

pub(crate) fn run(args: &ReconcileArgs, screen: &mut Screen) -> Result<Outcome> {
    let verdicts = read(&args.file)?;
    let confirm = args.action.confirm;
    let store = if confirm {
        args.store.write()?
    } else {
        args.store.read()?
    };
    // Nothing is changed unless every line makes sense and fits.
    let settled = verdicts
        .iter()
        .map(|verdict| find(&store, verdict))
        .collect::<Result<Vec<_>>>()?;
    let operator = confirm.then(|| args.action.operator(&store)).transpose()?;
    let key_hex = screen.key_hex();
    // All of it before any is told: whoever reads may stop, and the disk that it goes to be full.
    let done = operator.map(|operator| {
        let resolved = settled
            .iter()
            .map(|(doubt, resolution)| Ok(operator.resolve(doubt, resolution.clone())?));
        all_up_to_an_error(resolved)
    });
    let rows = told(done, &settled, |(doubt, resolution), done| {
        resolve::change(doubt, resolution, done.is_some()).row(key_hex)
    });
    screen.list(rows)?;
    let count = u64::try_from(settled.len()).unwrap_or(u64::MAX);
    if confirm {
        store.close()?;
    }
    let end = if confirm {
        "settled"
    } else {
        "would be settled"
    };
    screen.note(&format!("{} {end}", many(count, "doubt")));
    Ok(args.action.end(screen))
}

fn read(file: &Path) -> Result<Vec<(u64, Verdict)>> {
    let mut verdicts = Vec::new();
    for line in lines(file)? {
        let (number, line) = line?;
        let verdict = serde_json::from_slice(&line)
            .map_err(|error| Trouble::usage(format!("line {number}: {}", fault(&error))))?;
        verdicts.push((number, verdict));
    }
    Ok(verdicts)
}

fn find(store: &Store, (number, verdict): &(u64, Verdict)) -> Result<(Doubt, Resolution)> {
    let wrong = |text: String| Trouble::usage(format!("line {number}: {text}"));
    let key = key(verdict.key.as_deref(), verdict.key_hex.as_deref()).map_err(wrong)?;
    let token = parse_token(&verdict.token).map_err(wrong)?;
    let resolution = verdict.resolution().map_err(wrong)?;
    let namespace: Namespace = store.open_namespace(&verdict.namespace)?;
    Ok((resolve::find(&namespace, &key, token)?, resolution))
}

impl Verdict {
    fn resolution(&self) -> std::result::Result<Resolution, String> {
        let happened = either(self.happened.as_deref(), self.happened_base64.as_deref())?;
        let failed = either(self.failed.as_deref(), self.failed_base64.as_deref())?;
        match (happened, failed, self.never_happened) {
            (Some(response), None, false) => Ok(Resolution::Happened(response)),
            (None, Some(error), false) => Ok(Resolution::Failed(error)),
            (None, None, true) => Ok(Resolution::NeverHappened),
            _ => Err("give one of happened, failed and never_happened".to_owned()),
        }
    }
}
