//! The responses that the layer makes itself: refusals as problem details (RFC 9457), and replays.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hapax::{Completed, Failed};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LINK, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::body::Whole;
use crate::layer::Config;
use crate::outcome::Outcome;
use crate::refusal::{Reason, Refusal};
use hapax_http_types::StoredResponse;

/// What a problem links to where the service names no page of its own: what the statuses mean.
const DRAFT: &str = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07#section-2.7";

const TRUE: HeaderValue = HeaderValue::from_static("true");
const FALSE: HeaderValue = HeaderValue::from_static("false");

/// RFC 9457 section 3, and members of our own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    differs: &'a [String],
}

/// What a completion and a final failure tell alike.
macro_rules! replayed {
    ($answer:ident) => {
        Outcome::Replayed {
            token: $answer.token(),
            attempts: $answer.attempts(),
            settled_at: $answer.settled_at(),
            expires_at: $answer.expires_at(),
            first_request_id: request_id_of($answer.metadata()),
        }
    };
}

impl Config {
    /// Renders a refusal.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let answer = self.problem(&refusal);
        let mut answer = match &self.render {
            Some(render) => render(&refusal, answer),
            None => answer,
        };
        answer.extensions_mut().insert(Outcome::Refused(refusal));
        answer
    }

    fn problem(&self, refusal: &Refusal) -> Response<Bytes> {
        let reason = refusal.reason();
        let status = self.status_of(reason);
        let kind = match &self.documentation {
            Some(url) => format!("{url}#{}", reason.code()),
            None => DRAFT.to_owned(),
        };
        let retry_after_seconds = refusal.retry_hint().map(whole_seconds);
        let problem = Problem {
            r#type: &kind,
            title: reason.title(),
            status: status.as_u16(),
            detail: refusal.detail(),
            code: reason.code(),
            retryable: reason.is_retryable(),
            retry_after_seconds,
            differs: refusal.differs(),
        };
        let body = serde_json::to_vec(&problem).expect("strings and numbers");
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(link) = HeaderValue::try_from(format!("<{kind}>; rel=\"describedby\"")) {
            headers.insert(LINK, link);
        }
        if let Some(seconds) = retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        answer
    }

    fn status_of(&self, reason: Reason) -> StatusCode {
        let told = self.statuses.iter().rev().find(|told| told.0 == reason);
        told.map_or(reason.status(), |told| told.1)
    }

    /// A stored answer, as a response with the marks of a replay.
    pub(crate) fn replay(&self, answer: Completed) -> Result<Response<Whole>, Refusal> {
        if answer.response_omitted() {
            return Err(not_kept(None));
        }
        let (outcome, expires_at) = (replayed!(answer), answer.expires_at());
        let stored = StoredResponse::from_bytes(answer.into()).map_err(|_| not_kept(None))?;
        let mut response = self.replay_of(stored, expires_at)?;
        response.extensions_mut().insert(outcome);
        Ok(response)
    }

    /// A final failure, as a response where somebody settled it with one.
    pub(crate) fn replay_failure(&self, answer: Failed) -> Result<Response<Whole>, Refusal> {
        let (outcome, expires_at) = (replayed!(answer), answer.expires_at());
        let refusal = failed(&answer);
        let Ok(stored) = StoredResponse::from_bytes(answer.into()) else {
            return Err(refusal);
        };
        let mut response = self.replay_of(stored, expires_at)?;
        response.extensions_mut().insert(outcome);
        Ok(response)
    }

    /// As [`replay`](Self::replay), without what the store tells of the answer.
    pub(crate) fn replay_of(
        &self,
        stored: StoredResponse,
        expires_at: u64,
    ) -> Result<Response<Whole>, Refusal> {
        let trailers = stored.trailers().clone();
        let response = stored.into_response();
        let response = response.map_err(|status| not_kept(Some(status)))?;
        let mut response = response.map(|data| Whole::stored(data, trailers));
        let headers = response.headers_mut();
        headers.insert(self.replayed_header.clone(), TRUE);
        self.mark_stored(headers, Some(expires_at));
        Ok(response)
    }

    /// Says whether the response is stored, and until when.
    pub(crate) fn mark_stored(&self, headers: &mut HeaderMap, expires_at: Option<u64>) {
        let stored = if expires_at.is_some() { TRUE } else { FALSE };
        headers.insert(self.stored_header.clone(), stored);
        match expires_at.and_then(http_date) {
            Some(date) => headers.insert(self.expires_header.clone(), date),
            // What a handler passes on of another such service speaks of that one's store.
            None => headers.remove(&self.expires_header),
        };
    }

    /// When a response that is stored now is forgotten, in seconds since 1970.
    pub(crate) fn expiry(&self) -> u64 {
        let retention = self.namespace.policy().completed_retention();
        let expiry = now() + retention;
        // Rounded up, as the store does: a replay is not told another second.
        expiry.as_secs() + u64::from(expiry.subsec_nanos() > 0)
    }

    /// What is stored of a response: some of its headers and trailers and its body, as the hooks leave them.
    pub(crate) fn stored(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Whole,
    ) -> StoredResponse {
        let trailers = self.stored_trailers(body);
        let mut kept = self.stored_headers.kept(headers, &trailers);
        let mut body = body.data.clone();
        if let Some(redact) = &self.redact {
            let before = body.len();
            redact(&mut kept, &mut body);
            if body.len() != before {
                // It would tell the length of another body.
                kept.remove(CONTENT_LENGTH);
            }
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = kept;
        StoredResponse::new(response).with_trailers(trailers)
    }

    fn stored_trailers(&self, body: &Whole) -> HeaderMap {
        let kept = |trailers| self.stored_headers.kept_trailers(trailers);
        let mut kept = body.trailers.as_ref().map(kept).unwrap_or_default();
        match (&self.redact_trailers, &self.redact) {
            (Some(redact), _) => redact(&mut kept),
            // Who takes secrets out of headers and body has not said what of the trailers is one.
            (None, Some(_)) => kept.clear(),
            (None, None) => {}
        }
        kept
    }
}

fn failed(failed: &Failed) -> Refusal {
    let detail = format!(
        "it was tried {} times; take a new key to try it again",
        failed.attempts()
    );
    Refusal::new(Reason::FailedForGood, detail)
}

fn not_kept(status: Option<StatusCode>) -> Refusal {
    let detail = match status {
        Some(status) => format!(
            "it was answered with status {}, and the body was not stored; look the result up, and do not send it again",
            status.as_u16()
        ),
        None => "look the result up, and do not send it again".to_owned(),
    };
    Refusal::new(Reason::AnswerNotKept, detail)
}

/// The id of the first request, which is all the metadata that the layer gives a claim.
fn request_id_of(metadata: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metadata).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn whole_seconds(after: Duration) -> u64 {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    seconds.max(1)
}

fn http_date(secs: u64) -> Option<HeaderValue> {
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(secs));
    let date = date.filter(|date| *date < latest())?;
    HeaderValue::try_from(httpdate::fmt_http_date(date)).ok()
}

/// The form has four digits for the year.
fn latest() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the header tells clients a time of their own clocks; nothing is decided by it"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
