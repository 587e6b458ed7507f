//! [`StoredResponse`]: the bytes that a response is remembered as.
//!
//! Format 1, integers little-endian: a byte 1; a byte 0 when the body follows whole, 1 when it was left out, or
//! 2 when trailers and the whole body follow; the status (`u16`); the header lines; for 2, the trailers in the
//! same form; then the body, or its length (`u64`) where it was left out. Lines are their number (`u16`), and
//! each the length of its name (`u16`), its name, the length of its value (`u32`, whose highest bit says that
//! the value is sensitive), its value. Versions before 2 was known refuse it, and tell clients that the answer
//! was not kept.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

const FORMAT: u8 = 1;
const WHOLE: u8 = 0;
const LEFT_OUT: u8 = 1;
const WITH_TRAILERS: u8 = 2;

/// Of the length of a value: whoever made it said that it is sensitive.
const SENSITIVE: u32 = 1 << 31;

/// Most header lines, and most trailers, of a response that can be stored; what is over it is as a body over its
/// limit.
const LINES_MAX: usize = u16::MAX as usize;

/// A response as a store remembers it.
///
/// The layer makes and reads these by itself. Code that settles a key in doubt makes one, so that
/// retries get a proper answer; [`plain`](Self::plain) makes one of what an operator writes:
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
    /// Invariant: empty where the body was left out.
    trailers: HeaderMap,
}

#[derive(Clone, PartialEq, Eq)]
enum StoredBody {
    Whole(Bytes),
    LeftOut { bytes: u64 },
}

impl StoredResponse {
    /// Of a response with its whole body; every header is kept.
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

    /// With what follows its body, as gRPC has its status. Where the body is left out, so are they.
    #[must_use]
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        if matches!(self.body, StoredBody::Whole(_)) {
            self.trailers = trailers;
        }
        self
    }

    /// Of a response whose body is not kept; `bytes` is how long it was.
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
    /// Its status, where the body was left out.
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

    /// What follows the body; empty where nothing does.
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The body; `None` where it was left out.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        match &self.body {
            StoredBody::Whole(body) => Some(body),
            StoredBody::LeftOut { .. } => None,
        }
    }

    /// How many bytes the body has, or had.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        match &self.body {
            StoredBody::Whole(body) => u64::try_from(body.len()).unwrap_or(u64::MAX),
            StoredBody::LeftOut { bytes } => *bytes,
        }
    }

    /// The bytes to store. A response of more than 65,535 header lines, or as many trailers, or with a value of
    /// 2 GiB, is stored without its body and headers.
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
        encode_lines(&self.headers, out)?;
        if !self.trailers.is_empty() {
            encode_lines(&self.trailers, out)?;
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
        let [format, form] = take(&mut bytes)?;
        let status = StatusCode::from_u16(u16::from_le_bytes(take(&mut bytes)?)).ok()?;
        let headers = decode_lines(&mut bytes)?;
        let mut trailers = HeaderMap::new();
        let body = match (format, form) {
            (FORMAT, WHOLE) => StoredBody::Whole(bytes),
            (FORMAT, WITH_TRAILERS) => {
                trailers = decode_lines(&mut bytes)?;
                StoredBody::Whole(bytes)
            }
            (FORMAT, LEFT_OUT) => {
                let length = take(&mut bytes)?;
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

fn encode_lines(headers: &HeaderMap, out: &mut Vec<u8>) -> Option<()> {
    let lines = u16::try_from(headers.len().min(LINES_MAX + 1)).ok()?;
    out.extend_from_slice(&lines.to_le_bytes());
    for (name, value) in headers {
        out.extend_from_slice(&u16::try_from(name.as_str().len()).ok()?.to_le_bytes());
        out.extend_from_slice(name.as_str().as_bytes());
        let length = u32::try_from(value.len()).ok();
        let length = length.filter(|length| length & SENSITIVE == 0)?;
        let sensitive = [0, SENSITIVE][usize::from(value.is_sensitive())];
        out.extend_from_slice(&(length | sensitive).to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    Some(())
}

fn decode_lines(bytes: &mut Bytes) -> Option<HeaderMap> {
    let lines = u16::from_le_bytes(take(bytes)?);
    let mut headers = HeaderMap::new();
    for _ in 0..lines {
        let length = u16::from_le_bytes(take(bytes)?);
        let name = slice(bytes, usize::from(length))?;
        let length = u32::from_le_bytes(take(bytes)?);
        let value = slice(bytes, usize::try_from(length & !SENSITIVE).ok()?)?;
        let mut value = HeaderValue::from_maybe_shared(value).ok()?;
        value.set_sensitive(length & SENSITIVE != 0);
        let name = HeaderName::from_bytes(&name).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some(headers)
}

fn take<const N: usize>(bytes: &mut Bytes) -> Option<[u8; N]> {
    slice(bytes, N)?.as_ref().try_into().ok()
}

fn slice(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
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

/// Bytes that no [`StoredResponse`] was written as.
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
