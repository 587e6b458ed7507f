//! [`ReplyHeaders`]: the headers that the layer adds to answers.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::answer::expiry::http_date;

const TRUE: HeaderValue = HeaderValue::from_static("true");
const FALSE: HeaderValue = HeaderValue::from_static("false");

/// The headers that mark a replay, and say whether a response is stored and until when.
#[derive(Clone)]
pub(crate) struct ReplyHeaders {
    pub(crate) replayed: HeaderName,
    pub(crate) stored: HeaderName,
    pub(crate) expires: HeaderName,
}

impl Default for ReplyHeaders {
    fn default() -> Self {
        Self {
            replayed: HeaderName::from_static("idempotent-replayed"),
            stored: HeaderName::from_static("idempotency-stored"),
            expires: HeaderName::from_static("idempotency-expires"),
        }
    }
}

impl ReplyHeaders {
    pub(crate) fn names(&self) -> [HeaderName; 3] {
        [&self.replayed, &self.stored, &self.expires].map(Clone::clone)
    }

    pub(crate) fn mark_replayed(&self, headers: &mut HeaderMap) {
        headers.insert(self.replayed.clone(), TRUE);
    }

    /// Says whether the response is stored, and until when.
    pub(crate) fn mark_stored(&self, headers: &mut HeaderMap, expires_at: Option<SystemTime>) {
        let stored = if expires_at.is_some() { TRUE } else { FALSE };
        headers.insert(self.stored.clone(), stored);
        match expires_at.and_then(http_date) {
            Some(date) => headers.insert(self.expires.clone(), date),
            // A header that a handler passes on from another such service describes the store of that service.
            None => headers.remove(&self.expires),
        };
    }
}
