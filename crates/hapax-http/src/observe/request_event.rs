//! [`RequestEvent`]: the one event for each request that the layer answers.

use hapax::{KeyDigest, Namespace};
use http::StatusCode;

use crate::answer::outcome::Outcome;

/// The most bytes of a request id, or of a route, in an event.
const SHOWN_BYTES_MAX: usize = 128;

/// What is known about a request before its answer.
pub(crate) struct RequestEvent {
    route: String,
    request_id: Option<String>,
    pub(crate) key_digest: Option<KeyDigest>,
}

/// What is known with the answer.
#[derive(Default)]
struct Decided {
    decision: &'static str,
    status: Option<u16>,
    first_request: Option<String>,
    token: Option<String>,
    attempt: Option<u32>,
    stored: Option<bool>,
}

impl RequestEvent {
    /// `None` if no subscriber listens.
    pub(crate) fn begin(route: &str, request_id: &[u8]) -> Option<Self> {
        let listens = tracing::enabled!(target: "hapax_http", tracing::Level::INFO);
        listens.then(|| Self {
            route: shown(route.as_bytes()).unwrap_or_default(),
            request_id: shown(request_id),
            key_digest: None,
        })
    }

    pub(crate) fn decided(&self, namespace: &Namespace, decision: &'static str) {
        let decided = Decided {
            decision,
            ..Decided::default()
        };
        self.emit(namespace, decided);
    }

    pub(crate) fn answered(
        &self,
        namespace: &Namespace,
        status: StatusCode,
        outcome: Option<&Outcome>,
    ) {
        let mut decided = Decided {
            status: Some(status.as_u16()),
            ..Decided::default()
        };
        match outcome {
            Some(Outcome::Executed {
                stored,
                token,
                attempt,
            }) => {
                decided.decision = "executed";
                decided.token = Some(token.to_string());
                decided.attempt = Some(*attempt);
                decided.stored = Some(*stored);
                // Only the first attempt belongs to the first request for certain.
                decided.first_request = self.request_id.clone().filter(|_| *attempt == 1);
            }
            Some(Outcome::Replayed {
                token,
                attempts,
                first_request_id,
                ..
            }) => {
                decided.decision = "replayed";
                decided.token = Some(token.to_string());
                decided.attempt = Some(*attempts);
                decided.first_request = first_request_id.as_deref().and_then(first);
            }
            Some(Outcome::Refused(refusal)) => {
                decided.decision = refusal.reason().code();
                decided.first_request = refusal.first_request_id().and_then(first);
            }
            Some(Outcome::Screened) => decided.decision = "screened",
            Some(Outcome::Unprotected) => decided.decision = "unprotected",
            None => decided.decision = "executed",
        }
        self.emit(namespace, decided);
    }

    fn emit(&self, namespace: &Namespace, decided: Decided) {
        tracing::info!(
            target: "hapax_http",
            {
            hapax.namespace = %namespace.name().escape_debug(),
            hapax.key_digest = self.key_digest.as_ref().map(display),
            hapax.decision = decided.decision,
            http.route = self.route,
            http.status = decided.status,
            hapax.stored = decided.stored,
            hapax.token = decided.token,
            hapax.attempt = decided.attempt,
            hapax.request = self.request_id,
            hapax.first_request = decided.first_request,
            },
            "request answered"
        );
    }
}

fn first(id: &str) -> Option<String> {
    shown(id.as_bytes())
}

/// The start of a text from a client, escaped so that it can forge no line of a log; `None` if it is empty.
fn shown(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    (!head.is_empty()).then(|| head.escape_ascii().to_string())
}
