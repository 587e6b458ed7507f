//! [`Reason`]: why a request was not answered by its handler.

use http::StatusCode;

/// Why a request was not answered by its handler.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The route requires a key, and there is none.
    MissingKey,
    /// The header is there, and no key can be read from it.
    MalformedKey,
    /// The key does not look as the route demands.
    RefusedKey,
    /// The body is over the limit; nothing was claimed.
    BodyTooLarge,
    /// The body broke off before its end; nothing was claimed.
    BodyUnreadable,
    /// The body is JSON of which readers do not agree what it means; nothing was claimed.
    AmbiguousBody,
    /// The name of the operation is too long to be part of a key: a path of hundreds of bytes.
    OperationTooLong,
    /// The scope of the request is not known: what should have told it did not run.
    MissingScope,
    /// The first request under this key is still running.
    InProgress,
    /// The key was used for another request.
    Mismatch,
    /// Nobody knows whether the first request took effect.
    InDoubt,
    /// The request failed as often as it may.
    FailedForGood,
    /// The request was executed, and its response was not kept.
    AnswerNotKept,
    /// The store cannot answer, so nothing was run.
    Unavailable,
    /// The handler panicked, or its task ended without an answer.
    HandlerFailed,
    /// The body of the handler's response broke before anything of it was sent.
    AnswerBroken,
}

impl Reason {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::MissingKey,
        Self::MalformedKey,
        Self::RefusedKey,
        Self::BodyTooLarge,
        Self::BodyUnreadable,
        Self::AmbiguousBody,
        Self::OperationTooLong,
        Self::MissingScope,
        Self::InProgress,
        Self::Mismatch,
        Self::InDoubt,
        Self::FailedForGood,
        Self::AnswerNotKept,
        Self::Unavailable,
        Self::HandlerFailed,
        Self::AnswerBroken,
    ];

    /// A name for machines; it does not change.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingKey => "missing-key",
            Self::MalformedKey => "malformed-key",
            Self::RefusedKey => "refused-key",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyUnreadable => "body-unreadable",
            Self::AmbiguousBody => "ambiguous-body",
            Self::OperationTooLong => "operation-too-long",
            Self::MissingScope => "missing-scope",
            Self::InProgress => "in-progress",
            Self::Mismatch => "mismatch",
            Self::InDoubt => "in-doubt",
            Self::FailedForGood => "failed-for-good",
            Self::AnswerNotKept => "answer-not-kept",
            Self::Unavailable => "unavailable",
            Self::HandlerFailed => "handler-failed",
            Self::AnswerBroken => "answer-broken",
        }
    }

    /// The status that it is answered with unless the layer was told another one.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MissingKey
            | Self::MalformedKey
            | Self::RefusedKey
            | Self::BodyUnreadable
            | Self::AmbiguousBody => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::OperationTooLong => StatusCode::URI_TOO_LONG,
            Self::MissingScope | Self::HandlerFailed | Self::AnswerBroken => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::InProgress | Self::InDoubt => StatusCode::CONFLICT,
            Self::Mismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::FailedForGood | Self::AnswerNotKept => StatusCode::GONE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the same request under the same key can have another answer later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::BodyUnreadable
                | Self::InProgress
                | Self::InDoubt
                | Self::Unavailable
                | Self::HandlerFailed
                | Self::AnswerBroken
        )
    }

    /// One line for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::MissingKey => "The idempotency key is missing",
            Self::MalformedKey => "The idempotency key cannot be read",
            Self::RefusedKey => "The idempotency key is not of the form that is demanded",
            Self::BodyTooLarge => "The request body is too large",
            Self::BodyUnreadable => "The request body broke off",
            Self::AmbiguousBody => "The request body is ambiguous JSON",
            Self::OperationTooLong => "The path is too long",
            Self::MissingScope => "Nobody knows whose request this is",
            Self::InProgress => "The first request under this key is still running",
            Self::Mismatch => "The idempotency key was used for another request",
            Self::InDoubt => "Nobody knows yet whether the first request took effect",
            Self::FailedForGood => "The request failed as often as it may",
            Self::AnswerNotKept => "The request was executed, and its response was not kept",
            Self::Unavailable => "Duplicates cannot be told apart now, so nothing was run",
            Self::HandlerFailed => "The handler ended without an answer",
            Self::AnswerBroken => "The response broke off",
        }
    }
}
