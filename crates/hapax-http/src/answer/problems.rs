//! [`Problems`]: refusals as problem details (RFC 9457).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::answer::outcome::Outcome;
use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;

type Render = Arc<dyn Fn(&Refusal, Response<Bytes>) -> Response<Bytes> + Send + Sync>;

/// The page that a problem links to if the service names no page of its own: it explains the statuses.
const DRAFT: &str = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07#section-2.7";

/// The members of RFC 9457 section 3, and our own.
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

/// How refusals are answered.
#[derive(Clone, Default)]
pub(crate) struct Problems {
    /// For one reason the last entry counts.
    pub(crate) statuses: Vec<(Reason, StatusCode)>,
    pub(crate) documentation: Option<String>,
    pub(crate) render: Option<Render>,
}

impl Problems {
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
        let chosen = self.statuses.iter().rev().find(|chosen| chosen.0 == reason);
        chosen.map_or(reason.status(), |chosen| chosen.1)
    }
}

fn whole_seconds(after: Duration) -> u64 {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    seconds.max(1)
}
