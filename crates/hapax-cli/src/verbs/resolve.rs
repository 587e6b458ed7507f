//! `resolve`: says what came of a key in doubt.

use std::path::PathBuf;

use clap::Args;
use hapax::{Doubt, Namespace, Resolution, State};

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

/// Reads a token.
pub(crate) fn parse_token(text: &str) -> std::result::Result<hapax::FencingToken, String> {
    let number = text.parse().ok().and_then(hapax::FencingToken::from_i64);
    number.ok_or_else(|| "a token is a decimal number below 2^63".to_owned())
}

pub(crate) fn run(args: &ResolveArgs, screen: &mut Screen) -> Result<Outcome> {
    let resolution = args.verdict.resolution()?;
    let store = if args.action.confirm {
        args.store.write()?
    } else {
        args.store.read()?
    };
    let namespace = args.namespace.open(&store)?;
    let doubt = find(&namespace, &args.key, args.token)?;
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
    fn resolution(&self) -> Result<Resolution> {
        let bytes = |text: &Option<String>, file: &Option<PathBuf>| match (text, file) {
            (Some(text), _) => Ok(Some(text.clone().into_bytes())),
            (None, Some(file)) => std::fs::read(file)
                .map(Some)
                .map_err(Trouble::file(format!("reading {}", file.display()))),
            (None, None) => Ok(None),
        };
        if let Some(response) = bytes(&self.happened, &self.happened_file)? {
            return Ok(Resolution::Happened(response));
        }
        if let Some(error) = bytes(&self.failed, &self.failed_file)? {
            return Ok(Resolution::Failed(error));
        }
        Ok(Resolution::NeverHappened)
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
