//! `reconcile`: settles many doubts, from a file with one line for each.

use std::path::{Path, PathBuf};

use clap::Args;
use hapax::{Doubt, FencingToken, Namespace, Resolution, Store};
use serde::Deserialize;

use crate::input::action_args::ActionArgs;
use crate::input::json_file::lines;
use crate::input::json_member::{either, fault, key};
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::in_turn::{all_up_to_an_error, told};
use crate::verbs::resolution::{self, Form};
use crate::verbs::verb::Verb;

/// The options of `reconcile`.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The file, with one line for each doubt: `namespace`, `key` or `key_hex`, `token`, and one of
    /// `happened`, `happened_base64`, `happened_http`, `failed`, `failed_base64`, `failed_http` and `never_happened`
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
    token: FencingToken,
    happened: Option<String>,
    happened_base64: Option<String>,
    failed: Option<String>,
    failed_base64: Option<String>,
    happened_http: Option<HttpAnswer>,
    failed_http: Option<HttpAnswer>,
    #[serde(default)]
    never_happened: bool,
    /// Stores the bytes as they are, even for a key of the HTTP layer.
    #[serde(default)]
    raw: bool,
}

/// The answer that clients of the HTTP layer get.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpAnswer {
    status: u16,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl HttpAnswer {
    fn stored(&self) -> std::result::Result<Vec<u8>, String> {
        let body = either(self.body.as_deref(), self.body_base64.as_deref())?;
        resolution::http_answer(self.status, &self.headers, body.unwrap_or_default())
    }
}

impl Verb for ReconcileArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let verdicts = read(&self.file)?;
        let confirm = self.action.confirm;
        let store = self.store.open(confirm)?;
        // Changes nothing unless every line is valid and fits its doubt.
        let settled = verdicts
            .iter()
            .map(|verdict| find(&store, verdict))
            .collect::<Result<Vec<_>>>()?;
        let operator = confirm.then(|| self.action.operator(&store)).transpose()?;
        let key_hex = screen.key_hex();
        // Makes every change before showing any, because writing the output may fail or stop early.
        let done = operator.map(|operator| {
            let resolved = settled
                .iter()
                .map(|(doubt, resolution)| Ok(operator.resolve(doubt, resolution.clone())?));
            all_up_to_an_error(resolved)
        });
        let rows = told(done, &settled, |(doubt, resolution), done| {
            resolution::change(doubt, resolution, done.is_some()).row(key_hex)
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
        screen.note(&format!("{} {end}", counted(count, "doubt")));
        Ok(self.action.end(screen))
    }
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
    let resolution = verdict.resolution().map_err(wrong)?;
    let namespace: Namespace = store.open_namespace(&verdict.namespace)?;
    let doubt = resolution::find(&namespace, &key, verdict.token)?;
    let is_http = verdict.happened_http.is_some() || verdict.failed_http.is_some();
    let form = match (is_http, verdict.raw) {
        (true, _) => Form::Http,
        (false, true) => Form::Raw,
        (false, false) => Form::Plain,
    };
    let refused = |text: String| Trouble::Refused(format!("line {number}: {text}"));
    resolution::check_form(&key, &resolution, form).map_err(refused)?;
    Ok((doubt, resolution))
}

impl Verdict {
    fn resolution(&self) -> std::result::Result<Resolution, String> {
        let happened = either(self.happened.as_deref(), self.happened_base64.as_deref())?;
        let failed = either(self.failed.as_deref(), self.failed_base64.as_deref())?;
        let stored =
            |answer: &Option<HttpAnswer>| answer.as_ref().map(HttpAnswer::stored).transpose();
        let (happened_http, failed_http) =
            (stored(&self.happened_http)?, stored(&self.failed_http)?);
        let given = [
            happened.map(Resolution::Happened),
            happened_http.map(Resolution::Happened),
            failed.map(Resolution::Failed),
            failed_http.map(Resolution::Failed),
            self.never_happened.then_some(Resolution::NeverHappened),
        ];
        let given: Vec<Resolution> = given.into_iter().flatten().collect();
        match <[Resolution; 1]>::try_from(given) {
            Ok([resolution]) => Ok(resolution),
            Err(_) => Err("give exactly one of happened, failed and never_happened".to_owned()),
        }
    }
}
