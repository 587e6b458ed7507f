//! What `resolve` and `reconcile` share: they find a doubt, check its resolution, and show the change.

use hapax::{Doubt, KeyState, Namespace, Resolution};
use hapax_http_types::{KeyParts, StoredResponse};

use crate::notation::key_text;
use crate::output::change::Change;
use crate::trouble::{Result, Trouble};

/// The bytes that the HTTP layer stores for an answer.
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

/// How an outcome is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// As bytes.
    Plain,
    /// As bytes to store as they are, whatever the key looks like.
    Raw,
    /// As an answer over HTTP.
    Http,
}

/// Refuses a resolution that the HTTP layer could not send to its clients.
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
                    "{} looks like a key of the HTTP layer, which answers clients with a status, headers and a \
                     body: give them with --happened-http, or add --raw to store the bytes as they are (in a file: \
                     happened_http, raw)",
                    key_text::key(key, false)
                ))
            }
        }
        (_, Form::Http) if !is_of_http => Err(format!(
            "{} is not a key of the HTTP layer: give the response as the service stores it",
            key_text::key(key, false)
        )),
        _ => Ok(()),
    }
}

/// The doubt of a key, if it still has this token.
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
        "{} in namespace {} {text}: look at it with `hapax get`, and decide again",
        key_text::key(key, false),
        namespace.name()
    ))
}

/// The change that a resolution makes.
pub(crate) fn change<'a>(doubt: &'a Doubt, resolution: &Resolution, done: bool) -> Change<'a> {
    Change {
        action: "resolve",
        namespace: doubt.namespace(),
        key: doubt.key(),
        state: Some(KeyState::InDoubt),
        becomes: Some(match resolution {
            Resolution::Happened(_) => KeyState::Completed,
            Resolution::Failed(_) => KeyState::Failed,
            Resolution::NeverHappened => KeyState::Released,
        }),
        done,
    }
}
