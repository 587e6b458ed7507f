//! [`Line`]: the one line that a log has of each request that the layer answers.

use hapax::KeyDigest;
use http::StatusCode;

use crate::layer::Config;
use crate::outcome::Outcome;

/// Most bytes of a request id, or the name of a route, in a line.
const SHOWN_BYTES_MAX: usize = 128;

/// What is known of a request before it has its answer.
pub(crate) struct Line {
    route: String,
    request_id: Option<String>,
    pub(crate) key_digest: Option<KeyDigest>,
}

/// What there is to tell beside that.
#[derive(Default)]
struct Told {
    decision: &'static str,
    status: Option<u16>,
    first_request: Option<String>,
    token: Option<String>,
    attempt: Option<u32>,
    stored: Option<bool>,
}

impl Line {
    /// `None` where nobody listens.
    pub(crate) fn begin(route: &str, request_id: &[u8]) -> Option<Self> {
        let listens = tracing::enabled!(target: "hapax_http", tracing::Level::INFO);
        listens.then(|| Self {
            route: shown(route.as_bytes()).unwrap_or_default(),
            request_id: shown(request_id),
            key_digest: None,
        })
    }

    pub(crate) fn decided(&self, config: &Config, decision: &'static str) {
        let told = Told {
            decision,
            ..Told::default()
        };
        self.tell(config, told);
    }

    pub(crate) fn answered(&self, config: &Config, status: StatusCode, outcome: Option<&Outcome>) {
        let mut told = Told {
            status: Some(status.as_u16()),
            ..Told::default()
        };
        match outcome {
            Some(Outcome::Executed {
                stored,
                token,
                attempt,
            }) => {
                told.decision = "executed";
                told.token = Some(token.to_string());
                told.attempt = Some(*attempt);
                told.stored = Some(*stored);
                // The first request is this one, unless another was begun before it.
                told.first_request = self.request_id.clone().filter(|_| *attempt == 1);
            }
            Some(Outcome::Replayed {
                token,
                attempts,
                first_request_id,
                ..
            }) => {
                told.decision = "replayed";
                told.token = Some(token.to_string());
                told.attempt = Some(*attempts);
                told.first_request = first_request_id.as_deref().and_then(first);
            }
            Some(Outcome::Refused(refusal)) => {
                told.decision = refusal.reason().code();
                told.first_request = refusal.first_request_id().and_then(first);
            }
            Some(Outcome::Screened) => told.decision = "screened",
            Some(Outcome::Unprotected) => told.decision = "unprotected",
            None => told.decision = "executed",
        }
        self.tell(config, told);
    }

    fn tell(&self, config: &Config, told: Told) {
        tracing::info!(
            target: "hapax_http",
            {
            hapax.namespace = %config.namespace.name().escape_debug(),
            hapax.key_digest = self.key_digest.as_ref().map(display),
            hapax.decision = told.decision,
            http.route = self.route,
            http.status = told.status,
            hapax.stored = told.stored,
            hapax.token = told.token,
            hapax.attempt = told.attempt,
            hapax.request = self.request_id,
            hapax.first_request = told.first_request,
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
