//! [`RequestFingerprint`]: which parts of a request are compared when its key comes again.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hapax::limits::{FINGERPRINT_PARTS_MAX, LABEL_BYTES_MAX};
use hapax::{CanonicalJson, Fingerprint, Namespace};
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::request::framing::framed;
use crate::request::media_type::{BodyFormat, MediaType};
use crate::request::operation::requested_uri;
use crate::request::{compared_headers, form_body, uri_spelling};

/// Added to the number of a scheme, and raised whenever the rules of this file change: retries that began
/// under the old rules are then answered, not refused.
const RULES: u32 = 1 << 24;

type Extra = Arc<dyn Fn(&Parts, &Bytes) -> Vec<u8> + Send + Sync>;

/// Which parts of a request are compared when its key comes again. By default these are method, path, query, body,
/// the type of the body, and the headers that say what the request does.
///
/// Each part has a label, and a mismatch names those that differ:
///
/// | label | what is compared |
/// | --- | --- |
/// | `method` | the method |
/// | `path`, `query` | in the spelling of RFC 3986 section 6.2.2: `%7e` is `~`, and `%2f` is `%2F`, but not `/` |
/// | `content-type` | type and parameters, in any case and order. `charset=utf-8` is optional. An empty body has no type |
/// | `body` | as its type says, see below. All bytes count, at any size |
/// | `header:NAME` | a header with all its values in their order: the headers that you name, and by default conditions and ranges (`If-Match`, `Range`, `Content-Range`, ...), descriptions of the body (`Content-Encoding`, ...), uploads (`Upload-*`), and headers that change the operation (`Destination`, `X-HTTP-Method-Override`, ...); `docs/http.md` lists them |
/// | `headers` | the default headers together, if a request has more of them than a fingerprint has room for |
/// | your own | the bytes that [`part`](Self::part) returns |
///
/// | type of the body | how the body is compared |
/// | --- | --- |
/// | JSON | by its meaning: member order, white space and escapes do not count, array order does, numbers are exact |
/// | `application/x-www-form-urlencoded` | by its decoded fields; the order of fields with different names does not count |
/// | `multipart/form-data` | part by part, each with its headers and bytes; neither the boundary nor the order of parts with different names counts |
/// | other `multipart` | as above, and the order counts |
/// | any other, or none | byte for byte |
///
/// A body that does not match its type, or has a `Content-Encoding`, is compared byte for byte.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax_http::{IdempotencyLayer, RequestFingerprint};
/// use http::HeaderName;
///
/// # let store = Store::in_memory().open()?;
/// # let payments = store.namespace("payments", Policy::at_least_once())?;
/// let fingerprint = RequestFingerprint::new()
///     .without_query()
///     .header(HeaderName::from_static("x-api-version"));
/// let layer = IdempotencyLayer::new(payments).one_tenant().fingerprint(fingerprint);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct RequestFingerprint {
    scheme: u32,
    method: bool,
    path: bool,
    query: bool,
    headers: Vec<HeaderName>,
    /// Headers that count by default, but not here.
    ignored: Vec<HeaderName>,
    body: BodyComparison,
    extra: Vec<(String, Extra)>,
}

#[derive(Clone, Debug)]
enum BodyComparison {
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
            ignored: Vec::new(),
            body: BodyComparison::Auto(CanonicalJson::new()),
            extra: Vec::new(),
        }
    }
}

impl RequestFingerprint {
    /// The default rules, as scheme 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of these rules. Fingerprints of different schemes are not compared, so give changed rules
    /// another number: retries that began under the old rules are then answered, not refused.
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

    /// This header counts, with all its values in their order. Headers and [parts](Self::part) together may be at
    /// most ten.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.ignored.retain(|ignored| *ignored != name);
        if !self.headers.contains(&name) {
            self.headers.push(name);
        }
        self
    }

    /// This header does not count, even if it does by default.
    pub fn without_header(mut self, name: HeaderName) -> Self {
        self.headers.retain(|counted| *counted != name);
        self.ignored.push(name);
        self
    }

    /// How JSON bodies are compared: which members count, or strictly by RFC 8785.
    pub fn json(mut self, json: CanonicalJson) -> Self {
        self.body = BodyComparison::Auto(json);
        self
    }

    /// Bodies are compared byte for byte, including JSON and forms. Their type still counts.
    pub fn body_as_bytes(mut self) -> Self {
        self.body = BodyComparison::Bytes;
        self
    }

    /// Neither the body nor its type counts.
    pub fn without_body(mut self) -> Self {
        self.body = BodyComparison::Ignored;
        self
    }

    /// These bytes count too, under a label of your own of 1 to 64 bytes.
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
        let mut builder = namespace.fingerprint(self.scheme.wrapping_add(RULES));
        if self.method {
            builder = builder.part("method", parts.method.as_str());
        }
        if self.path {
            builder = builder.part("path", uri_spelling::path(requested_uri(parts).path()));
        }
        if self.query {
            let query = requested_uri(parts).query().unwrap_or("");
            builder = builder.part("query", uri_spelling::query(query));
        }
        for name in &self.headers {
            builder = builder.part(&label(name), values(&parts.headers, name));
        }
        for (label, value) in self.compared_by_default(&parts.headers) {
            builder = builder.part(&label, value);
        }
        if !matches!(self.body, BodyComparison::Ignored) {
            let content = self.content(&parts.headers, body)?;
            if let Some(media_type) = content.media_type {
                builder = builder.part("content-type", media_type);
            }
            builder = match content.read {
                Some(read) => builder.part("body", read),
                None => builder.part("body", body),
            };
        }
        for (label, part) in &self.extra {
            builder = builder.part(label, part(parts, body));
        }
        builder.build().map_err(|error| {
            let detail = "the fingerprint rules of this route are invalid";
            Refusal::new(Reason::Unavailable, detail).because(error)
        })
    }

    /// The headers that count by default, each under its name if the names fit.
    fn compared_by_default(&self, headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
        let counts = |name: &&HeaderName| {
            compared_headers::counts(name)
                && !self.headers.contains(name)
                && !self.ignored.contains(name)
        };
        let mut names: Vec<&HeaderName> = headers.keys().filter(counts).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        // The other parts include method, path, query, body and its type.
        let others = 5 + self.headers.len() + self.extra.len();
        let fits = names.len() + others <= FINGERPRINT_PARTS_MAX
            && names
                .iter()
                .all(|name| label(name).len() <= LABEL_BYTES_MAX);
        if fits {
            let named = |name: &HeaderName| (label(name), values(headers, name));
            return names.into_iter().map(named).collect();
        }
        let together = names
            .into_iter()
            .map(|name| (name.as_str().as_bytes(), values(headers, name)))
            .flat_map(|(name, values)| [name.to_vec(), values])
            .collect::<Vec<_>>();
        let together = framed(together.iter().map(Vec::as_slice));
        vec![("headers".to_owned(), together)]
    }

    fn content(&self, headers: &HeaderMap, body: &Bytes) -> Result<Content, Refusal> {
        if body.is_empty() {
            return Ok(Content::default());
        }
        let media_type = MediaType::of(headers);
        let read = match (&self.body, media_type.body_format()) {
            (BodyComparison::Auto(_), _) if headers.contains_key(CONTENT_ENCODING) => None,
            (BodyComparison::Auto(json), BodyFormat::Json) => canonical(json, body)?,
            (BodyComparison::Auto(_), BodyFormat::UrlEncoded) => form_body::urlencoded(body),
            (BodyComparison::Auto(_), BodyFormat::Multipart { boundary, is_form }) => {
                form_body::multipart(body, boundary, *is_form)
            }
            _ => None,
        };
        // A body that was read by its boundary is spelled without it, so it never equals a body that was not.
        let spelled = media_type.spelled(read.is_some());
        Ok(Content {
            media_type: Some(spelled),
            read,
        })
    }
}

/// A body in the form that is compared.
#[derive(Default)]
struct Content {
    /// The type in one spelling; `None` for an empty body.
    media_type: Option<Vec<u8>>,
    /// The body as its type reads it; `None` if its bytes are compared.
    read: Option<Vec<u8>>,
}

fn canonical(json: &CanonicalJson, body: &Bytes) -> Result<Option<Vec<u8>>, Refusal> {
    match json.canonicalize(body) {
        Ok(canonical) => Ok(Some(canonical)),
        Err(error) if error.is_ambiguous() => {
            Err(Refusal::new(Reason::AmbiguousBody, error.to_string()))
        }
        Err(_) => Ok(None),
    }
}

fn label(name: &HeaderName) -> String {
    format!("header:{name}")
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    framed(headers.get_all(name).iter().map(AsRef::as_ref))
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
            .field("ignored", &self.ignored)
            .field("body", &self.body)
            .field("extra", &extra.collect::<Vec<_>>())
            .finish()
    }
}
