//! What `resolve` and `reconcile` share: the doubt is found, and what settles it is checked and told.

use hapax::{Doubt, Namespace, Resolution, State};
use hapax_http_types::{KeyParts, StoredResponse};

use crate::notation::key_text;
use crate::output::change::Change;
use crate::trouble::{Result, Trouble};

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
                    key_text::key(key, false)
                ))
            }
        }
        (_, Form::Http) if !is_of_http => Err(format!(
            "{} is no key of the HTTP layer: give the response as the service stores it",
            key_text::key(key, false)
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
        key_text::key(key, false),
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
