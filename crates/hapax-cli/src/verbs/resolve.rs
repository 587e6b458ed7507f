//! `resolve`: says what came of a key in doubt.

use std::path::PathBuf;

use clap::Args;
use hapax::{Doubt, Namespace, Resolution, State};
use hapax_http_types::{KeyParts, StoredResponse};

use crate::action::{ActionArgs, Change};
use crate::choice::KeyBytes;
use crate::escaped;
use crate::opening::{NamespaceArgs, StoreArgs};
use crate::screen::Screen;
use crate::trouble::{Outcome, Result, Trouble};

/// The options of `resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = escaped::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// The token of the doubt, as `in-doubt` shows it
    #[arg(long, value_parser = parse_token)]
    token: hapax::FencingToken,

    #[command(flatten)]
    verdict: Verdict,

    #[command(flatten)]
    answer: AnswerArgs,

    /// Store the bytes as they are, though the key is one of the HTTP layer
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    action: ActionArgs,
}

/// What came of it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Verdict {
    /// The effect happened; this is the response
    #[arg(long, value_name = "RESPONSE")]
    happened: Option<String>,

    /// The effect happened; the response is in this file
    #[arg(long, value_name = "FILE")]
    happened_file: Option<PathBuf>,

    /// The effect happened; clients of the HTTP layer are answered with this status, --header and --body
    #[arg(long, value_name = "STATUS")]
    happened_http: Option<u16>,

    /// It failed for good; clients of the HTTP layer are answered with this status, --header and --body
    #[arg(long, value_name = "STATUS")]
    failed_http: Option<u16>,

    /// It failed for good; this is the error
    #[arg(long, value_name = "ERROR")]
    failed: Option<String>,

    /// It failed for good; the error is in this file
    #[arg(long, value_name = "FILE")]
    failed_file: Option<PathBuf>,

    /// It never happened: the key can be claimed again, and will run
    #[arg(long)]
    never_happened: bool,
}

/// What goes with a status: the rest of an answer over HTTP.
#[derive(Debug, Args)]
struct AnswerArgs {
    /// A header of that answer, as 'name: value'; may be given more than once
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,

    /// The body of that answer
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,

    /// The body of that answer is in this file
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
}

/// Reads a token.
pub(crate) fn parse_token(text: &str) -> std::result::Result<hapax::FencingToken, String> {
    let number = text.parse().ok().and_then(hapax::FencingToken::from_i64);
    number.ok_or_else(|| "a token is a decimal number below 2^63".to_owned())
}

pub(crate) fn run(args: &ResolveArgs, screen: &mut Screen) -> Result<Outcome> {
    let resolution = args.verdict.resolution(&args.answer)?;
    let form = args.verdict.form(args.raw);
    let store = if args.action.confirm {
        args.store.write()?
    } else {
        args.store.read()?
    };
    let namespace = args.namespace.open(&store)?;
    let doubt = find(&namespace, &args.key, args.token)?;
    check_form(&args.key, &resolution, form).map_err(Trouble::Refused)?;
    if args.action.confirm {
        let operator = args.action.operator(&store)?;
        operator.resolve(&doubt, resolution.clone())?;
    }
    let row = change(&doubt, &resolution, args.action.confirm).row(screen.key_hex());
    screen.list([Ok(row)])?;
    if args.action.confirm {
        store.close()?;
    }
    Ok(args.action.end(screen))
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
                "--header, --body and --body-file go with --happened-http or --failed-http",
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
        http_answer(status, &self.header, body).map_err(Trouble::usage)
    }
}

/// The bytes that the HTTP layer keeps of an answer.
pub(crate) fn http_answer(
    status: u16,
    headers: &[String],
    body: Vec<u8>,
) -> std::result::Result<Vec<u8>, String> {
    let headers = headers.iter().map(String::as_str);
    let answer = StoredResponse::plain(status, headers, body);
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(answer.to_bytes().to_vec())
}

/// How an outcome was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// As bytes.
    Plain,
    /// As bytes that are meant, whatever the key looks like.
    Raw,
    /// As an answer over HTTP.
    Http,
}

/// Refuses what clients of the key could not be answered with.
pub(crate) fn check_form(
    key: &[u8],
    resolution: &Resolution,
    form: Form,
) -> std::result::Result<(), String> {
    let is_of_http = KeyParts::of(key).is_some();
    match (resolution, form) {
        (Resolution::Happened(response), Form::Plain) if is_of_http => {
            let is_answer = StoredResponse::from_bytes(response.clone().into()).is_ok();
            if is_answer {
                Ok(())
            } else {
                Err(format!(
                    "{} looks like a key of the HTTP layer, whose clients are answered with a status, headers and a \
                     body: give them with --happened-http, or store the bytes as they are with --raw (in a file: \
                     happened_http, raw)",
                    escaped::key(key, false)
                ))
            }
        }
        (_, Form::Http) if !is_of_http => Err(format!(
            "{} is no key of the HTTP layer: give the response as the service stores it",
            escaped::key(key, false)
        )),
        _ => Ok(()),
    }
}

/// The doubt of a key, if it is still that of this token.
pub(crate) fn find(namespace: &Namespace, key: &[u8], token: hapax::FencingToken) -> Result<Doubt> {
    let Some(doubt) = namespace.doubt_of(key)? else {
        let is = match namespace.get(key)? {
            Some(info) => info.state().to_string(),
            None => "absent".to_owned(),
        };
        return Err(refused(namespace, key, &format!("is {is}, not in doubt")));
    };
    if doubt.token() != token {
        let text = format!("is in doubt under token {}, not {token}", doubt.token());
        return Err(refused(namespace, key, &text));
    }
    Ok(doubt)
}

fn refused(namespace: &Namespace, key: &[u8], text: &str) -> Trouble {
    Trouble::Refused(format!(
        "{} of {} {text}: look at it with `hapax get`, and decide again",
        escaped::key(key, false),
        namespace.name()
    ))
}

/// What a resolution makes of a doubt.
pub(crate) fn change<'a>(doubt: &'a Doubt, resolution: &Resolution, done: bool) -> Change<'a> {
    Change {
        action: "resolve",
        namespace: doubt.namespace(),
        key: doubt.key(),
        state: Some(State::InDoubt),
        becomes: Some(match resolution {
            Resolution::Happened(_) => State::Completed,
            Resolution::Failed(_) => State::Failed,
            Resolution::NeverHappened => State::Released,
        }),
        done,
    }
}
