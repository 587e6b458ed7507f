//! [`RequestEvent`]: the one event of each request that the layer answers.

use hapax::{KeyDigest, Namespace};
use http::StatusCode;

use crate::answer::outcome::Outcome;

/// Most bytes of a request id, or the name of a route, in a line.
const SHOWN_BYTES_MAX: usize = 128;

/// What is known of a request before it has its answer.
pub(crate) struct RequestEvent {
    route: String,
    request_id: Option<String>,
    pub(crate) key_digest: Option<KeyDigest>,
}

/// What there is to tell beside that.
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
    /// `None` where nobody listens.
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
                // The first request is this one, unless another was begun before it.
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

/// What a client has sent, so that it can neither make up a line nor move a cursor; `None` where it is empty.
fn shown(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    (!head.is_empty()).then(|| head.escape_ascii().to_string())
}
