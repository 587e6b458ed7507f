//! `resolve`: settles a key in doubt.

use std::path::PathBuf;

use clap::Args;
use hapax::Resolution;

use crate::input::action_args::ActionArgs;
use crate::input::namespace_args::NamespaceArgs;
use crate::input::store_args::StoreArgs;
use crate::notation::key_text::{self, KeyBytes};
use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::resolution::{self, Form};
use crate::verbs::verb::Verb;

/// The options of `resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = key_text::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// The token of the doubt, as `in-doubt` shows it
    #[arg(long)]
    token: hapax::FencingToken,

    #[command(flatten)]
    verdict: Verdict,

    #[command(flatten)]
    answer: AnswerArgs,

    /// Store the bytes as they are, even for a key of the HTTP layer
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    action: ActionArgs,
}

/// What happened to the effect.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Verdict {
    /// The effect happened; this is the response
    #[arg(long, value_name = "RESPONSE")]
    happened: Option<String>,

    /// The effect happened; the response is in this file
    #[arg(long, value_name = "FILE")]
    happened_file: Option<PathBuf>,

    /// The effect happened; answer HTTP clients with this status, --header and --body
    #[arg(long, value_name = "STATUS")]
    happened_http: Option<u16>,

    /// The effect failed for good; answer HTTP clients with this status, --header and --body
    #[arg(long, value_name = "STATUS")]
    failed_http: Option<u16>,

    /// The effect failed for good; this is the error
    #[arg(long, value_name = "ERROR")]
    failed: Option<String>,

    /// The effect failed for good; the error is in this file
    #[arg(long, value_name = "FILE")]
    failed_file: Option<PathBuf>,

    /// The effect never happened; the next claim runs the key
    #[arg(long)]
    never_happened: bool,
}

/// The rest of an answer over HTTP, beside its status.
#[derive(Debug, Args)]
struct AnswerArgs {
    /// A header of the HTTP answer, as 'name: value'; may be repeated
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,

    /// The body of the HTTP answer
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,

    /// The body of the HTTP answer is in this file
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
}

impl Verb for ResolveArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let resolution = self.verdict.resolution(&self.answer)?;
        let form = self.verdict.form(self.raw);
        let store = self.store.open(self.action.confirm)?;
        let namespace = self.namespace.open(&store)?;
        let doubt = resolution::find(&namespace, &self.key, self.token)?;
        resolution::check_form(&self.key, &resolution, form).map_err(Trouble::Refused)?;
        if self.action.confirm {
            let operator = self.action.operator(&store)?;
            operator.resolve(&doubt, resolution.clone())?;
        }
        let row =
            resolution::change(&doubt, &resolution, self.action.confirm).row(screen.key_hex());
        screen.list([Ok(row)])?;
        if self.action.confirm {
            store.close()?;
        }
        Ok(self.action.end(screen))
    }
}

impl Verdict {
    fn form(&self, raw: bool) -> Form {
        match self.happened_http.or(self.failed_http) {
            Some(_) => Form::Http,
            None if raw => Form::Raw,
            None => Form::Plain,
        }
    }

    fn resolution(&self, answer: &AnswerArgs) -> Result<Resolution> {
        if let Some(status) = self.happened_http {
            return Ok(Resolution::Happened(answer.stored(status)?));
        }
        if let Some(status) = self.failed_http {
            return Ok(Resolution::Failed(answer.stored(status)?));
        }
        if !answer.is_empty() {
            return Err(Trouble::usage(
                "--header, --body and --body-file need --happened-http or --failed-http",
            ));
        }
        if let Some(response) = bytes(&self.happened, &self.happened_file)? {
            return Ok(Resolution::Happened(response));
        }
        if let Some(error) = bytes(&self.failed, &self.failed_file)? {
            return Ok(Resolution::Failed(error));
        }
        Ok(Resolution::NeverHappened)
    }
}

fn bytes(text: &Option<String>, file: &Option<PathBuf>) -> Result<Option<Vec<u8>>> {
    match (text, file) {
        (Some(text), _) => Ok(Some(text.clone().into_bytes())),
        (None, Some(file)) => std::fs::read(file)
            .map(Some)
            .map_err(Trouble::file(format!("reading {}", file.display()))),
        (None, None) => Ok(None),
    }
}

impl AnswerArgs {
    fn is_empty(&self) -> bool {
        self.header.is_empty() && self.body.is_none() && self.body_file.is_none()
    }

    fn stored(&self, status: u16) -> Result<Vec<u8>> {
        let body = bytes(&self.body, &self.body_file)?.unwrap_or_default();
        resolution::http_answer(status, &self.header, body).map_err(Trouble::usage)
    }
}
