//! The fields of a form in one spelling: `application/x-www-form-urlencoded`, and `multipart`.
//!
//! What cannot be read for certain is `None`, and its bytes are compared as they are.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem;
use multer::Multipart;

use crate::fingerprint::framed;

/// Most fields, or parts, of a form that is taken apart.
const FIELDS_MAX: usize = 1024;

/// Most bytes of the headers of one part.
const PART_HEADERS_BYTES_MAX: usize = 16 * 1024;

/// The fields in the order of their names; those of one name stay in their order.
pub(crate) fn urlencoded(body: &[u8]) -> Option<Vec<u8>> {
    if memchr::memchr_iter(b'&', body).count() >= FIELDS_MAX || has_stray_percent(body) {
        return None;
    }
    let mut fields: Vec<_> = form_urlencoded::parse(body).collect();
    // It stands for bytes that are no text, and they are not all alike.
    let is_lossy = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if fields
        .iter()
        .any(|(name, value)| is_lossy(name) || is_lossy(value))
    {
        return None;
    }
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    let mut out = form_urlencoded::Serializer::new(String::new());
    Some(out.extend_pairs(fields).finish().into_bytes())
}

/// A `%` that encodes nothing: readers do not agree on it.
fn has_stray_percent(body: &[u8]) -> bool {
    memchr::memchr_iter(b'%', body).any(|at| {
        let digits = body.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// The parts without what lies between them: their headers and their content, byte for byte. Those of a form are
/// in the order of their names, and those of one name stay in their order.
pub(crate) fn multipart(body: &Bytes, boundary: &str, is_form: bool) -> Option<Vec<u8>> {
    if !is_all_parts(body, boundary) {
        return None;
    }
    let whole = futures_util::stream::once(ready(Ok::<_, Infallible>(body.clone())));
    let mut parts = Multipart::new(whole, boundary);
    let mut fields: Vec<(String, Vec<u8>, Bytes)> = Vec::new();
    while let Some(part) = now(parts.next_field())?.ok()? {
        let name = part.name().map(str::to_owned);
        let name = if is_form { name? } else { String::new() };
        let headers = spelled(part.headers())?;
        let content = now(part.bytes())?.ok()?;
        if fields.len() == FIELDS_MAX {
            return None;
        }
        fields.push((name, headers, content));
    }
    if is_form {
        fields.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let fields = fields
        .iter()
        .flat_map(|(_, headers, content)| [&headers[..], content]);
    Some(framed(fields))
}

/// Whether nothing stands before the first boundary and nothing after the last, which readers pass over.
fn is_all_parts(body: &[u8], boundary: &str) -> bool {
    let end = format!("\r\n--{boundary}--");
    let begins = body
        .strip_prefix(b"--")
        .is_some_and(|body| body.starts_with(boundary.as_bytes()));
    let rest = memmem::find(body, end.as_bytes()).map(|at| &body[at + end.len()..]);
    begins && matches!(rest, Some(b"" | b"\r\n"))
}

/// The headers of a part in the order of their names.
fn spelled(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut lines: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        .collect();
    let bytes: usize = lines
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    lines.sort_by_key(|(name, _)| *name);
    let lines = lines.into_iter().flat_map(|(name, value)| [name, value]);
    (bytes <= PART_HEADERS_BYTES_MAX).then(|| framed(lines))
}

/// What a future over a body that is all there comes to, without waiting.
fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
