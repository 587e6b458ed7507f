//! [`RequestFingerprint`]: what of a request has to be the same when its key comes again.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hapax::{CanonicalJson, Fingerprint, Namespace};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::refusal::{Reason, Refusal};
use crate::scope;

type Extra = Arc<dyn Fn(&Parts, &Bytes) -> Vec<u8> + Send + Sync>;

/// What of a request has to be the same when its key comes again; by default its method, path, query
/// and body.
///
/// Each part has a label, and a mismatch names those that differ: `method`, `path`, `query`,
/// `header:NAME`, `body`, and your own. A JSON body, as its `Content-Type` tells, is compared by what
/// it means: member order, white space and escapes do not count, array order does, and numbers are
/// exact. Any other body is compared byte for byte, and so is one that says it is JSON and is not.
/// All bytes count, whatever their number.
#[derive(Clone)]
#[must_use]
pub struct RequestFingerprint {
    scheme: u32,
    method: bool,
    path: bool,
    query: bool,
    headers: Vec<HeaderName>,
    body: BodyForm,
    extra: Vec<(String, Extra)>,
}

#[derive(Clone, Debug)]
enum BodyForm {
    Auto(CanonicalJson),
    Bytes,
    Ignored,
}

impl Default for RequestFingerprint {
    fn default() -> Self {
        Self {
            scheme: 1,
            method: true,
            path: true,
            query: true,
            headers: Vec::new(),
            body: BodyForm::Auto(CanonicalJson::new()),
            extra: Vec::new(),
        }
    }
}

impl RequestFingerprint {
    /// The defaults, as scheme 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of these rules. Fingerprints of two schemes are not compared, so give changed rules
    /// another number: retries that began under the old ones are then answered, not refused.
    pub fn scheme(mut self, scheme: u32) -> Self {
        self.scheme = scheme;
        self
    }

    /// The method does not count.
    pub fn without_method(mut self) -> Self {
        self.method = false;
        self
    }

    /// The path does not count.
    pub fn without_path(mut self) -> Self {
        self.path = false;
        self
    }

    /// The query does not count.
    pub fn without_query(mut self) -> Self {
        self.query = false;
        self
    }

    /// This header counts, with all its values in their order. At most ten of them.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.headers.push(name);
        self
    }

    /// How JSON bodies are compared: which members count, or by the letter of RFC 8785.
    pub fn json(mut self, json: CanonicalJson) -> Self {
        self.body = BodyForm::Auto(json);
        self
    }

    /// Bodies are compared byte for byte, JSON too.
    pub fn body_as_bytes(mut self) -> Self {
        self.body = BodyForm::Bytes;
        self
    }

    /// The body does not count.
    pub fn without_body(mut self) -> Self {
        self.body = BodyForm::Ignored;
        self
    }

    /// Something else counts, under a label of your own of 1 to 64 bytes.
    pub fn part(
        mut self,
        label: impl Into<String>,
        part: impl Fn(&Parts, &Bytes) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.extra.push((label.into(), Arc::new(part)));
        self
    }

    pub(crate) fn of(
        &self,
        namespace: &Namespace,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Fingerprint, Refusal> {
        let mut builder = namespace.fingerprint(self.scheme);
        if self.method {
            builder = builder.part("method", parts.method.as_str());
        }
        if self.path {
            builder = builder.part("path", scope::uri(parts).path());
        }
        if self.query {
            builder = builder.part("query", scope::uri(parts).query().unwrap_or(""));
        }
        for name in &self.headers {
            let values = framed(parts.headers.get_all(name).iter().map(AsRef::as_ref));
            builder = builder.part(&format!("header:{name}"), values);
        }
        builder = match self.canonical(&parts.headers, body)? {
            Counted::Canonical(canonical) => builder.part("body", canonical),
            Counted::Bytes => builder.part("body", body),
            Counted::Not => builder,
        };
        for (label, part) in &self.extra {
            builder = builder.part(label, part(parts, body));
        }
        builder.build().map_err(|error| {
            let detail = "the rules of the fingerprint of this route do not hold";
            Refusal::new(Reason::Unavailable, detail).because(error)
        })
    }

    fn canonical(&self, headers: &HeaderMap, body: &Bytes) -> Result<Counted, Refusal> {
        let json = match &self.body {
            BodyForm::Auto(json) if is_json(headers) => json,
            BodyForm::Auto(_) | BodyForm::Bytes => return Ok(Counted::Bytes),
            BodyForm::Ignored => return Ok(Counted::Not),
        };
        match json.canonicalize(body) {
            Ok(canonical) => Ok(Counted::Canonical(canonical)),
            Err(error) if error.is_ambiguous() => {
                Err(Refusal::new(Reason::AmbiguousBody, error.to_string()))
            }
            Err(_) => Ok(Counted::Bytes),
        }
    }
}

enum Counted {
    Canonical(Vec<u8>),
    Bytes,
    Not,
}

/// No two lists of values come to the same bytes.
fn framed<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(value);
    }
    out
}

/// `application/json`, `text/json`, or anything with the suffix `+json` (RFC 6839 section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or("").split(';').next().unwrap_or("").trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

impl fmt::Debug for RequestFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = self.extra.iter().map(|(label, _)| label);
        f.debug_struct("RequestFingerprint")
            .field("scheme", &self.scheme)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("extra", &extra.collect::<Vec<_>>())
            .finish()
    }
}
