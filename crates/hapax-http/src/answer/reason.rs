//! [`Reason`]: why the layer refused a request.

use http::StatusCode;

/// Why the layer refused a request.
///
/// # Examples
///
/// ```
/// use hapax_http::Reason;
/// use http::StatusCode;
///
/// assert_eq!(Reason::Mismatch.status(), StatusCode::UNPROCESSABLE_ENTITY);
/// assert!(Reason::InProgress.is_retryable());
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The route requires a key, and the request has no key.
    MissingKey,
    /// The request has the header, but no key can be read from it.
    MalformedKey,
    /// The key does not have the form that the route requires.
    RefusedKey,
    /// The body is over the limit; nothing was claimed.
    BodyTooLarge,
    /// The body broke off before its end; nothing was claimed.
    BodyUnreadable,
    /// The body is JSON that parsers disagree on; nothing was claimed.
    AmbiguousBody,
    /// The operation is too long to be part of a key, such as a path of hundreds of bytes.
    OperationTooLong,
    /// The scope of the request is not known: the layer that should provide it did not run.
    MissingScope,
    /// The first request under this key is still running.
    InProgress,
    /// The key was used for another request.
    Mismatch,
    /// It is not known whether the first request took effect.
    InDoubt,
    /// The request failed as often as it may.
    FailedForGood,
    /// The request was executed, and its response was not kept.
    AnswerNotKept,
    /// The store cannot answer, so nothing ran.
    Unavailable,
    /// The handler panicked, or its task ended without an answer.
    HandlerFailed,
    /// The body of the handler's response broke before anything of it was sent.
    AnswerBroken,
}

impl Reason {
    /// Every reason.
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

    /// The name for machines, which never changes.
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

    /// The status of the answer, unless [`IdempotencyLayer::status`](crate::IdempotencyLayer::status) sets another.
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

    /// Whether the same request under the same key can get another answer later.
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

    /// The title for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::MissingKey => "The idempotency key is missing",
            Self::MalformedKey => "The idempotency key cannot be read",
            Self::RefusedKey => "The idempotency key does not have the required form",
            Self::BodyTooLarge => "The request body is too large",
            Self::BodyUnreadable => "The request body broke off",
            Self::AmbiguousBody => "The request body is ambiguous JSON",
            Self::OperationTooLong => "The path is too long",
            Self::MissingScope => "The service does not know whose request this is",
            Self::InProgress => "The first request under this key is still running",
            Self::Mismatch => "The idempotency key was used for another request",
            Self::InDoubt => "It is not known yet whether the first request took effect",
            Self::FailedForGood => "The request failed as often as it may",
            Self::AnswerNotKept => "The request was executed, and its response was not kept",
            Self::Unavailable => {
                "The service cannot tell whether this is a duplicate, so nothing ran"
            }
            Self::HandlerFailed => "The handler ended without an answer",
            Self::AnswerBroken => "The response broke off",
        }
    }
}
