//! Replays: stored answers as responses, marked as replays.

use std::time::SystemTime;

use hapax::{Completed, Failed};
use hapax_http_types::StoredResponse;
use http::{Response, StatusCode};

use crate::answer::first_request::request_id_in;
use crate::answer::outcome::Outcome;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::answer::reply_headers::ReplyHeaders;
use crate::body::whole::Whole;

/// The outcome of a completed or a failed key.
macro_rules! replayed {
    ($answer:ident) => {
        Outcome::Replayed {
            token: $answer.token(),
            attempts: $answer.attempts(),
            settled_at: $answer.settled_at(),
            expires_at: $answer.expires_at(),
            first_request_id: request_id_in($answer.metadata()),
        }
    };
}

/// The stored answer of a completed key.
pub(crate) fn of_completed(
    answer: Completed,
    marks: &ReplyHeaders,
) -> Result<Response<Whole>, Refusal> {
    if answer.response_omitted() {
        return Err(not_kept(None));
    }
    let (outcome, expires_at) = (replayed!(answer), answer.expires_at());
    let stored = StoredResponse::from_bytes(answer.into()).map_err(|_| not_kept(None))?;
    let mut response = of_stored(stored, expires_at, marks)?;
    response.extensions_mut().insert(outcome);
    Ok(response)
}

/// The stored answer of a failed key, if it was settled with one.
pub(crate) fn of_failed(answer: Failed, marks: &ReplyHeaders) -> Result<Response<Whole>, Refusal> {
    let (outcome, expires_at) = (replayed!(answer), answer.expires_at());
    let refusal = failed_for_good(&answer);
    let Ok(stored) = StoredResponse::from_bytes(answer.into()) else {
        return Err(refusal);
    };
    let mut response = of_stored(stored, expires_at, marks)?;
    response.extensions_mut().insert(outcome);
    Ok(response)
}

/// A stored answer without its [`Outcome`].
pub(crate) fn of_stored(
    stored: StoredResponse,
    expires_at: SystemTime,
    marks: &ReplyHeaders,
) -> Result<Response<Whole>, Refusal> {
    let trailers = stored.trailers().clone();
    let response = stored.into_response();
    let response = response.map_err(|status| not_kept(Some(status)))?;
    let mut response = response.map(|data| Whole::stored(data, trailers));
    let headers = response.headers_mut();
    marks.mark_replayed(headers);
    marks.mark_stored(headers, Some(expires_at));
    Ok(response)
}

fn failed_for_good(failed: &Failed) -> Refusal {
    let detail = format!(
        "it was tried {} times; use a new key to try it again",
        failed.attempts()
    );
    Refusal::new(Reason::FailedForGood, detail)
}

fn not_kept(status: Option<StatusCode>) -> Refusal {
    let detail = match status {
        Some(status) => format!(
            "the answer had status {}, and its body was not stored; look the result up, and do not send the request again",
            status.as_u16()
        ),
        None => "look the result up, and do not send the request again".to_owned(),
    };
    Refusal::new(Reason::AnswerNotKept, detail)
}
