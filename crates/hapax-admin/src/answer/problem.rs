//! [`Problem`]: a refusal or a failure, as problem details (RFC 9457) with a stable code.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hapax::{Error, ErrorKind, KeyInfo};
use serde::Serialize;

use crate::answer::key_view::StateView;
use crate::operator::actor::{Refusal, RefusalKind};

/// The kind of problem. Its name never changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Code {
    ActionsOff,
    OperationOff,
    ForceOff,
    Unauthenticated,
    Forbidden,
    ActorUnusable,
    CrossSite,
    NotJson,
    BodyTooLarge,
    BodyUnreadable,
    Invalid,
    HttpAnswerWanted,
    UnknownNamespace,
    UnknownKey,
    UnknownOperation,
    MethodNotAllowed,
    Busy,
    TooSlow,
    StillRunning,
    NotInDoubt,
    TooLarge,
    AtCapacity,
    Superseded,
    NotHeld,
    AlreadySettled,
    InUse,
    Salvaged,
    ReadOnly,
    Poisoned,
    Closed,
    Damaged,
    StoreFailed,
}

impl Code {
    /// Every code, for the test of docs/admin.md.
    #[cfg(test)]
    const ALL: &'static [Self] = &[
        Self::ActionsOff,
        Self::OperationOff,
        Self::ForceOff,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::ActorUnusable,
        Self::CrossSite,
        Self::NotJson,
        Self::BodyTooLarge,
        Self::BodyUnreadable,
        Self::Invalid,
        Self::HttpAnswerWanted,
        Self::UnknownNamespace,
        Self::UnknownKey,
        Self::UnknownOperation,
        Self::MethodNotAllowed,
        Self::Busy,
        Self::TooSlow,
        Self::StillRunning,
        Self::NotInDoubt,
        Self::TooLarge,
        Self::AtCapacity,
        Self::Superseded,
        Self::NotHeld,
        Self::AlreadySettled,
        Self::InUse,
        Self::Salvaged,
        Self::ReadOnly,
        Self::Poisoned,
        Self::Closed,
        Self::Damaged,
        Self::StoreFailed,
    ];

    /// Its name, its status, and a title for people.
    fn facts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::ActionsOff => ("actions-off", 403, "This router is read-only"),
            Self::OperationOff => ("operation-off", 403, "This operation is not allowed here"),
            Self::ForceOff => ("force-off", 403, "Force is not allowed here"),
            Self::Unauthenticated => ("unauthenticated", 401, "The actor is unknown"),
            Self::Forbidden => ("forbidden", 403, "The actor may not do this"),
            Self::ActorUnusable => ("actor-unusable", 500, "The actor cannot be recorded"),
            Self::CrossSite => ("cross-site", 403, "The request comes from another site"),
            Self::NotJson => ("not-json", 415, "The body must be application/json"),
            Self::BodyTooLarge => ("body-too-large", 413, "The request body is too large"),
            Self::BodyUnreadable => ("body-unreadable", 400, "The request body was cut off"),
            Self::Invalid => ("invalid", 400, "The request is invalid"),
            Self::HttpAnswerWanted => (
                "http-answer-wanted",
                400,
                "The key belongs to the HTTP layer",
            ),
            Self::UnknownNamespace => ("unknown-namespace", 404, "The namespace does not exist"),
            Self::UnknownKey => ("unknown-key", 404, "The key is absent"),
            Self::UnknownOperation => ("unknown-operation", 404, "The operation does not exist"),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                405,
                "The path does not have this method",
            ),
            Self::Busy => ("busy", 503, "Too many requests are running"),
            Self::TooSlow => ("too-slow", 504, "The store took too long"),
            Self::StillRunning => ("still-running", 504, "The operation is still running"),
            Self::NotInDoubt => ("not-in-doubt", 409, "The key is not in doubt"),
            Self::TooLarge => ("too-large", 413, "A size limit is exceeded"),
            Self::AtCapacity => ("at-capacity", 503, "The store has reached a limit"),
            Self::Superseded => ("superseded", 409, "The token is no longer current"),
            Self::NotHeld => ("not-held", 404, "The key of this token is gone"),
            Self::AlreadySettled => ("already-settled", 409, "The key is already settled"),
            Self::InUse => ("in-use", 409, "The key is in use"),
            Self::Salvaged => ("salvaged", 409, "The store was salvaged with losses"),
            Self::ReadOnly => ("read-only", 409, "The store is open for reading only"),
            Self::Poisoned => ("poisoned", 503, "The store is poisoned"),
            Self::Closed => ("closed", 503, "The store is closed"),
            Self::Damaged => ("damaged", 500, "Stored bytes are damaged"),
            Self::StoreFailed => ("store-failed", 500, "The store could not answer"),
        }
    }

    fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::AtCapacity => Self::AtCapacity,
            ErrorKind::Superseded => Self::Superseded,
            ErrorKind::NotHeld => Self::NotHeld,
            ErrorKind::AlreadySettled => Self::AlreadySettled,
            ErrorKind::InUse => Self::InUse,
            ErrorKind::NoNamespace => Self::UnknownNamespace,
            ErrorKind::Salvaged => Self::Salvaged,
            ErrorKind::ReadOnly => Self::ReadOnly,
            ErrorKind::Poisoned => Self::Poisoned,
            ErrorKind::Closed | ErrorKind::Forked => Self::Closed,
            ErrorKind::Damaged => Self::Damaged,
            _ => Self::StoreFailed,
        }
    }
}

/// What a handler returns.
pub(crate) type Answer = Result<Response, Problem>;

/// A refusal or a failure. It never contains a key.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// Boxed, to keep every `Result` small.
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    current: Option<StateView>,
    retry_after_secs: Option<u32>,
    challenge: Option<String>,
}

/// The members of RFC 9457 section 3, and our own.
#[derive(Serialize)]
struct Shape<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a StateView>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let inner = Inner {
            code,
            detail: detail.into(),
            current: None,
            retry_after_secs: None,
            challenge: None,
        };
        Self {
            inner: Box::new(inner),
        }
    }

    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Invalid, detail)
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> Code {
        self.inner.code
    }

    /// Adds the current state of the key.
    pub(crate) fn current(mut self, info: &KeyInfo) -> Self {
        self.inner.current = Some(StateView::of(info));
        self
    }

    /// Adds when a retry makes sense.
    pub(crate) fn retry_after(mut self, secs: u32) -> Self {
        self.inner.retry_after_secs = Some(secs);
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::new(Code::of(error.kind()), error.to_string());
        problem.inner.current = error.current().map(StateView::of);
        problem
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal.kind {
            RefusalKind::Unauthenticated(challenge) => {
                let mut problem = Self::new(Code::Unauthenticated, refusal.detail);
                problem.inner.challenge = Some(challenge);
                problem
            }
            RefusalKind::Forbidden => Self::new(Code::Forbidden, refusal.detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = *self.inner;
        let (code, status, title) = problem.code.facts();
        let shape = Shape {
            r#type: "about:blank",
            title,
            status,
            detail: &problem.detail,
            code,
            current: problem.current.as_ref(),
        };
        let body = serde_json::to_vec(&shape).expect("strings and numbers are JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("the table has statuses");
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(secs) = problem.retry_after_secs {
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(challenge) = problem.challenge {
            // A challenge that is not a valid header value is a mistake of the service; the answer stays 401.
            let value = HeaderValue::from_str(&challenge);
            headers.insert(
                WWW_AUTHENTICATE,
                value.unwrap_or(HeaderValue::from_static("Bearer")),
            );
        }
        response
    }
}

/// The answer of a route to a method that it does not have; axum adds `Allow`.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("the {ALLOW} header lists the methods of this path"),
    )
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn the_page_has_every_code_with_its_status() {
        let page = include_str!("../../../../docs/admin.md");
        for code in Code::ALL {
            let (name, status, _) = code.facts();
            let row = format!("| `{name}` | {status} |");
            assert!(page.contains(&row), "docs/admin.md has no row: {row}");
        }
        let is_row = |line: &&str| {
            let status = line
                .strip_prefix("| `")
                .and_then(|row| row.split("` | ").nth(1));
            status.is_some_and(|status| status.starts_with(['4', '5']))
        };
        let rows = page.lines().filter(is_row);
        assert_eq!(
            rows.count(),
            Code::ALL.len(),
            "a row for a code that is gone"
        );
    }
}
