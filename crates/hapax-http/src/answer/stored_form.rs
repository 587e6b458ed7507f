//! [`StoredForm`]: what is stored of a response.

use std::sync::Arc;

use bytes::Bytes;
use hapax_http_types::StoredResponse;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};

use crate::answer::header_rules::HeaderRules;
use crate::body::whole::Whole;

type Redact = Arc<dyn Fn(&mut HeaderMap, &mut Bytes) + Send + Sync>;
type RedactTrailers = Arc<dyn Fn(&mut HeaderMap) + Send + Sync>;

/// Which headers and trailers of a response are stored, and which hooks change the response before.
#[derive(Clone, Default)]
pub(crate) struct StoredForm {
    pub(crate) headers: HeaderRules,
    pub(crate) redact: Option<Redact>,
    pub(crate) redact_trailers: Option<RedactTrailers>,
}

impl StoredForm {
    /// The response to store: the kept headers and trailers and the body, as the hooks leave them.
    pub(crate) fn of(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Whole,
    ) -> StoredResponse {
        let trailers = self.trailers(body);
        let mut kept = self.headers.kept(headers, &trailers);
        let mut body = body.data.clone();
        if let Some(redact) = &self.redact {
            let before = body.len();
            redact(&mut kept, &mut body);
            if body.len() != before {
                // The header has the length of the body before the hook.
                kept.remove(CONTENT_LENGTH);
            }
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = kept;
        StoredResponse::new(response).with_trailers(trailers)
    }

    fn trailers(&self, body: &Whole) -> HeaderMap {
        let kept = |trailers| self.headers.kept_trailers(trailers);
        let mut kept = body.trailers.as_ref().map(kept).unwrap_or_default();
        match (&self.redact_trailers, &self.redact) {
            (Some(redact), _) => redact(&mut kept),
            // A service that redacts headers and body has not said which trailers are secret.
            (None, Some(_)) => kept.clear(),
            (None, None) => {}
        }
        kept
    }
}
