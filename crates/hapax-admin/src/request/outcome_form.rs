//! [`OutcomeForm`]: whether a request gives an outcome as bytes or as an answer over HTTP.

use hapax_http_types::{KeyParts, StoredResponse};

use crate::answer::problem::{Code, Problem};

/// How a request gives an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutcomeForm {
    /// As bytes.
    Plain,
    /// As bytes to store as they are, whatever the key looks like.
    Raw,
    /// As an answer over HTTP.
    Http,
}

impl OutcomeForm {
    pub(crate) fn of(is_http: bool, raw: bool) -> Result<Self, Problem> {
        match (is_http, raw) {
            (true, true) => Err(Problem::invalid(
                "give either raw or http: raw is for bytes, http is an answer",
            )),
            (true, false) => Ok(Self::Http),
            (false, true) => Ok(Self::Raw),
            (false, false) => Ok(Self::Plain),
        }
    }

    /// Refuses an outcome that the HTTP layer could not send to its clients.
    pub(crate) fn check(self, key: &[u8], happened: Option<&[u8]>) -> Result<(), Problem> {
        let is_of_http = KeyParts::of(key).is_some();
        match (self, happened) {
            (Self::Http, _) if !is_of_http => Err(Problem::invalid(
                "the key does not belong to the HTTP layer: give the bytes as the service stores them",
            )),
            (Self::Plain, Some(response)) if is_of_http => {
                let read = StoredResponse::from_bytes(response.to_vec().into());
                read.map(drop).map_err(|_| {
                    let text = "the key belongs to the HTTP layer, which answers clients with a status, headers and a \
                                body: give these as http, or give raw: true to store the bytes as they are";
                    Problem::new(Code::HttpAnswerWanted, text)
                })
            }
            _ => Ok(()),
        }
    }
}
