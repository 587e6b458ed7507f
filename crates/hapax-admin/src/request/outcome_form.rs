//! [`OutcomeForm`]: whether an outcome is given as bytes, or as an answer over HTTP.

use hapax_http_types::{KeyParts, StoredResponse};

use crate::answer::problem::{Code, Problem};

/// How an outcome was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutcomeForm {
    /// As bytes.
    Plain,
    /// As bytes that are meant, whatever the key looks like.
    Raw,
    /// As an answer over HTTP.
    Http,
}

impl OutcomeForm {
    pub(crate) fn of(is_http: bool, raw: bool) -> Result<Self, Problem> {
        match (is_http, raw) {
            (true, true) => Err(Problem::invalid(
                "raw goes with bytes, and http is an answer: give one of them",
            )),
            (true, false) => Ok(Self::Http),
            (false, true) => Ok(Self::Raw),
            (false, false) => Ok(Self::Plain),
        }
    }

    /// Refuses an outcome that clients of the key could not be answered with.
    pub(crate) fn check(self, key: &[u8], happened: Option<&[u8]>) -> Result<(), Problem> {
        let is_of_http = KeyParts::of(key).is_some();
        match (self, happened) {
            (Self::Http, _) if !is_of_http => Err(Problem::invalid(
                "the key is not one of the HTTP layer: give the bytes as the service stores them",
            )),
            (Self::Plain, Some(response)) if is_of_http => {
                let read = StoredResponse::from_bytes(response.to_vec().into());
                read.map(drop).map_err(|_| {
                    let text = "the key is one of the HTTP layer, whose clients are answered with a status, headers \
                                and a body: give http with them, or raw: true with the bytes";
                    Problem::new(Code::HttpAnswerWanted, text)
                })
            }
            _ => Ok(()),
        }
    }
}
