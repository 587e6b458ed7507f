//! [`RequestFingerprint`]: what of a request has to be the same when its key comes again.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hapax::{CanonicalJson, FINGERPRINT_PARTS_MAX, Fingerprint, LABEL_BYTES_MAX, Namespace};
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
/// under the rules before are then answered, not refused.
const RULES: u32 = 1 << 24;

type Extra = Arc<dyn Fn(&Parts, &Bytes) -> Vec<u8> + Send + Sync>;

/// What of a request has to be the same when its key comes again; by default its method, path, query, body,
/// the type of the body, and the headers that say what the request does.
///
/// Each part has a label, and a mismatch names those that differ:
///
/// | label | what is compared |
/// | --- | --- |
/// | `method` | the method |
/// | `path`, `query` | as RFC 3986 section 6.2.2 has it: `%7e` is `~`, and `%2f` is `%2F`, but not `/` |
/// | `content-type` | type and parameters, in any case and order; `charset=utf-8` may be left out. An empty body has none |
/// | `body` | as its type says, see below; all bytes count, whatever their number |
/// | `header:NAME` | a header with all its values in their order: those that you name, and by default conditions and ranges (`If-Match`, `Range`, `Content-Range`, ...), what the body is (`Content-Encoding`, ...), uploads (`Upload-*`), and what puts another operation into a request (`Destination`, `X-HTTP-Method-Override`, ...); `docs/http.md` lists them |
/// | `headers` | the latter together, where there are more of them than can be named |
/// | your own | what [`part`](Self::part) makes |
///
/// | type of the body | how the body is compared |
/// | --- | --- |
/// | JSON | by what it means: member order, white space and escapes do not count, array order does, numbers are exact |
/// | `application/x-www-form-urlencoded` | by its decoded fields; the order of fields of different names does not count |
/// | `multipart/form-data` | part by part, each with its headers and bytes; the boundary does not count, nor the order of parts of different names |
/// | other `multipart` | as above, and the order counts |
/// | any other, or none | byte for byte |
///
/// A body that is not what its type says, or that has a `Content-Encoding`, is compared byte for byte.
#[derive(Clone)]
#[must_use]
pub struct RequestFingerprint {
    scheme: u32,
    method: bool,
    path: bool,
    query: bool,
    headers: Vec<HeaderName>,
    /// Headers that do not count although they do by default.
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

    /// This header counts, with all its values in their order. At most ten of them and of
    /// [parts](Self::part) together.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.ignored.retain(|ignored| *ignored != name);
        if !self.headers.contains(&name) {
            self.headers.push(name);
        }
        self
    }

    /// This header does not count, although it does by default.
    pub fn without_header(mut self, name: HeaderName) -> Self {
        self.headers.retain(|counted| *counted != name);
        self.ignored.push(name);
        self
    }

    /// How JSON bodies are compared: which members count, or by the letter of RFC 8785.
    pub fn json(mut self, json: CanonicalJson) -> Self {
        self.body = BodyComparison::Auto(json);
        self
    }

    /// Bodies are compared byte for byte, JSON and forms too. Their type counts all the same.
    pub fn body_as_bytes(mut self) -> Self {
        self.body = BodyComparison::Bytes;
        self
    }

    /// Neither the body nor its type counts.
    pub fn without_body(mut self) -> Self {
        self.body = BodyComparison::Ignored;
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
            let detail = "the rules of the fingerprint of this route do not hold";
            Refusal::new(Reason::Unavailable, detail).because(error)
        })
    }

    /// The headers that count by default, each under its name where there is room for the names.
    fn compared_by_default(&self, headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
        let counts = |name: &&HeaderName| {
            compared_headers::counts(name)
                && !self.headers.contains(name)
                && !self.ignored.contains(name)
        };
        let mut names: Vec<&HeaderName> = headers.keys().filter(counts).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        // The method, the path, the query, the body and its type.
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
        // What was read by its boundary has none, and so is never equal to what was not.
        let spelled = media_type.spelled(read.is_some());
        Ok(Content {
            media_type: Some(spelled),
            read,
        })
    }
}

/// A body as it is compared.
#[derive(Default)]
struct Content {
    /// In one spelling; an empty body has none.
    media_type: Option<Vec<u8>>,
    /// What was read by the type; without it all bytes are compared.
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
