//! [`StoredResponse`]: a response as the bytes that a store keeps.
//!
//! Format 1, integers little-endian:
//!
//! - a byte 1
//! - a byte 0 if the whole body follows, 1 if the body was left out, 2 if trailers and the whole body follow
//! - the status (`u16`)
//! - the header lines; after a byte 2, the trailers in the same form
//! - the body, or its length (`u64`) if it was left out
//!
//! Lines are their number (`u16`), then for each line the length of its name (`u16`), its name, the length of its
//! value (`u32`, the highest bit marks a sensitive value) and its value. A version that does not know the byte 2
//! refuses it, and tells clients that the answer was not kept.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::header_lines;
use crate::written_answer::{self, BadAnswer};

const FORMAT: u8 = 1;
const WHOLE: u8 = 0;
const LEFT_OUT: u8 = 1;
const WITH_TRAILERS: u8 = 2;

/// A response as a store keeps it.
///
/// The layer makes and reads these by itself. Code that settles a key in doubt makes one, so that
/// retries get a proper answer. [`plain`](Self::plain) makes one from what an operator writes.
///
/// ```
/// use hapax_http_types::StoredResponse;
/// use http::{Response, StatusCode};
///
/// let answer = Response::builder()
///     .status(StatusCode::CREATED)
///     .header("content-type", "application/json")
///     .body(bytes::Bytes::from_static(br#"{"id":"ch_1"}"#))?;
/// let bytes = StoredResponse::new(answer).to_bytes();
/// // doubt.resolve(hapax::Resolution::Happened(bytes.to_vec()))?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: StoredBody,
    /// Invariant: empty if the body was left out.
    trailers: HeaderMap,
}

#[derive(Clone, PartialEq, Eq)]
enum StoredBody {
    Whole(Bytes),
    LeftOut { bytes: u64 },
}

impl StoredResponse {
    /// A response with its whole body; every header is kept.
    #[must_use]
    pub fn new(response: http::Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: StoredBody::Whole(body),
            trailers: HeaderMap::new(),
        }
    }

    /// A status, headers as `name: value`, and a body: what an operator knows about an effect that happened.
    ///
    /// # Errors
    /// [`BadAnswer`], if such an answer cannot be sent to a client.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax_http_types::StoredResponse;
    ///
    /// let answer = StoredResponse::plain(201, ["content-type: application/json"], r#"{"id":"ch_1"}"#)?;
    /// // doubt.resolve(hapax::Resolution::Happened(answer.to_bytes().to_vec()))?;
    /// # Ok::<(), hapax_http_types::BadAnswer>(())
    /// ```
    pub fn plain<'h>(
        status: u16,
        headers: impl IntoIterator<Item = &'h str>,
        body: impl Into<Bytes>,
    ) -> Result<Self, BadAnswer> {
        let status = written_answer::status(status)?;
        let headers = written_answer::headers(headers)?;
        let body = body.into();
        written_answer::check_body(status, &body)?;
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(Self::new(response))
    }

    /// Adds what follows the body, such as the status of gRPC. Without a body there are no trailers either.
    #[must_use]
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        if matches!(self.body, StoredBody::Whole(_)) {
            self.trailers = trailers;
        }
        self
    }

    /// A response whose body is not kept; `bytes` is its length.
    #[must_use]
    pub fn without_body(status: StatusCode, bytes: u64) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: StoredBody::LeftOut { bytes },
            trailers: HeaderMap::new(),
        }
    }

    /// The response again, without its [`trailers`](Self::trailers).
    ///
    /// # Errors
    /// Its status, if the body was left out.
    pub fn into_response(self) -> Result<http::Response<Bytes>, StatusCode> {
        let StoredBody::Whole(body) = self.body else {
            return Err(self.status);
        };
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, in the order in which the response had them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What follows the body; may be empty.
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The body; `None` if it was left out.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        match &self.body {
            StoredBody::Whole(body) => Some(body),
            StoredBody::LeftOut { .. } => None,
        }
    }

    /// The length of the body, also if it was left out.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        match &self.body {
            StoredBody::Whole(body) => u64::try_from(body.len()).unwrap_or(u64::MAX),
            StoredBody::LeftOut { bytes } => *bytes,
        }
    }

    /// The bytes to store. A response with more than 65,535 header lines, more than 65,535 trailers, or a value of
    /// 2 GiB is stored without its body and headers.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.encoded_len());
        out.push(FORMAT);
        if self.encode_into(&mut out).is_none() {
            return Self::without_body(self.status, self.body_bytes()).to_bytes();
        }
        out.into()
    }

    fn encoded_len(&self) -> usize {
        let lines = self.headers.iter().chain(&self.trailers);
        let lines: usize = lines
            .map(|(name, value)| 6 + name.as_str().len() + value.len())
            .sum();
        16 + lines + self.body().map_or(0, Bytes::len)
    }

    fn encode_into(&self, out: &mut Vec<u8>) -> Option<()> {
        out.push(match self.body {
            StoredBody::LeftOut { .. } => LEFT_OUT,
            StoredBody::Whole(_) if self.trailers.is_empty() => WHOLE,
            StoredBody::Whole(_) => WITH_TRAILERS,
        });
        out.extend_from_slice(&self.status.as_u16().to_le_bytes());
        header_lines::encode(&self.headers, out)?;
        if !self.trailers.is_empty() {
            header_lines::encode(&self.trailers, out)?;
        }
        match &self.body {
            StoredBody::Whole(body) => out.extend_from_slice(body),
            StoredBody::LeftOut { bytes } => out.extend_from_slice(&bytes.to_le_bytes()),
        }
        Some(())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; the body is shared, not copied.
    ///
    /// # Errors
    /// [`NotAResponse`] for anything else.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, NotAResponse> {
        Self::decode(bytes).ok_or(NotAResponse(()))
    }

    fn decode(mut bytes: Bytes) -> Option<Self> {
        let [format, form] = header_lines::take(&mut bytes)?;
        let status =
            StatusCode::from_u16(u16::from_le_bytes(header_lines::take(&mut bytes)?)).ok()?;
        let headers = header_lines::decode(&mut bytes)?;
        let mut trailers = HeaderMap::new();
        let body = match (format, form) {
            (FORMAT, WHOLE) => StoredBody::Whole(bytes),
            (FORMAT, WITH_TRAILERS) => {
                trailers = header_lines::decode(&mut bytes)?;
                StoredBody::Whole(bytes)
            }
            (FORMAT, LEFT_OUT) => {
                let length = header_lines::take(&mut bytes)?;
                if !bytes.is_empty() {
                    return None;
                }
                StoredBody::LeftOut {
                    bytes: u64::from_le_bytes(length),
                }
            }
            _ => return None,
        };
        Some(Self {
            status,
            headers,
            body,
            trailers,
        })
    }
}

impl fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body_bytes())
            .field("trailers", &self.trailers.len())
            .finish_non_exhaustive()
    }
}

/// Bytes that are not a [`StoredResponse`].
///
/// # Examples
///
/// ```
/// use hapax_http_types::StoredResponse;
///
/// assert!(StoredResponse::from_bytes("not a response".into()).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAResponse(());

impl fmt::Display for NotAResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "these bytes are not a stored response: make them with StoredResponse::to_bytes",
        )
    }
}

impl std::error::Error for NotAResponse {}
