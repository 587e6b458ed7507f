//! [`Refusal`]: why the layer refused a request, and what the client can do.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::first_request::request_id_in;
use crate::answer::reason::Reason;

/// Why the layer refused a request, and what the client can do.
///
/// The response has it among its extensions, in an [`Outcome`](crate::Outcome), and the hook
/// [`IdempotencyLayer::render`](crate::IdempotencyLayer::render) gets it. It never holds the key.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax_http::{IdempotencyLayer, Reason};
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let layer = IdempotencyLayer::new(payments).one_tenant().render(|refusal, response| {
///     if refusal.reason() == Reason::Mismatch {
///         println!("these parts differ: {:?}", refusal.differs());
///     }
///     response
/// });
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    differs: Vec<String>,
    first_request_id: Option<String>,
    error: Option<Arc<hapax::Error>>,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            retry_after: None,
            differs: Vec::new(),
            first_request_id: None,
            error: None,
        }
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    pub(crate) fn differing(mut self, labels: &[String]) -> Self {
        self.differs = labels.to_vec();
        self
    }

    /// Takes the id of the first request from the metadata of its claim.
    pub(crate) fn first_request(mut self, metadata: &[u8]) -> Self {
        self.first_request_id = request_id_in(metadata);
        self
    }

    pub(crate) fn because(mut self, error: hapax::Error) -> Self {
        self.error = Some(Arc::new(error));
        self
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What happened and what to do next, for people. It quotes no part of the request.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The earliest time at which a retry makes sense; the client gets whole seconds, rounded up.
    #[must_use]
    pub fn retry_hint(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The labels of the parts that differ from the first request under this key.
    #[must_use]
    pub fn differs(&self) -> &[String] {
        &self.differs
    }

    /// The request id of the first request under this key, if it sent one; for logs, not for clients.
    #[must_use]
    pub fn first_request_id(&self) -> Option<&str> {
        self.first_request_id.as_deref()
    }

    /// The error of the store; for logs, not for clients.
    #[must_use]
    pub fn error(&self) -> Option<&hapax::Error> {
        self.error.as_deref()
    }
}
