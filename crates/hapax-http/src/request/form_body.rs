//! Form bodies in one spelling: `application/x-www-form-urlencoded` and `multipart`.
//!
//! A body that parsers may read differently is `None`, and its bytes are compared.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem;
use multer::Multipart;

use crate::request::framing::framed;

/// The most fields, or parts, of a form that is read.
const FIELDS_MAX: usize = 1024;

/// The most bytes in the headers of one part.
const PART_HEADERS_BYTES_MAX: usize = 16 * 1024;

/// The fields sorted by name; fields with the same name keep their order.
pub(crate) fn urlencoded(body: &[u8]) -> Option<Vec<u8>> {
    if memchr::memchr_iter(b'&', body).count() >= FIELDS_MAX || has_stray_percent(body) {
        return None;
    }
    let mut fields: Vec<_> = form_urlencoded::parse(body).collect();
    // The replacement character stands for bytes that are not text, so different bytes would look the same.
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

/// Whether a `%` encodes nothing: parsers disagree on it.
fn has_stray_percent(body: &[u8]) -> bool {
    memchr::memchr_iter(b'%', body).any(|at| {
        let digits = body.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// The headers and the content of each part, byte for byte, without the boundaries. Parts of a form are sorted by
/// name; parts with the same name keep their order.
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

/// Whether there is nothing but an empty line before the first boundary, and nothing after the last: parsers skip
/// such text.
fn is_all_parts(body: &[u8], boundary: &str) -> bool {
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let Some(rest) = body
        .strip_prefix(b"--")
        .and_then(|rest| rest.strip_prefix(boundary.as_bytes()))
    else {
        return false;
    };
    let end = format!("\r\n--{boundary}--");
    let after = match rest.strip_prefix(b"--") {
        Some(after) => Some(after),
        None => memmem::find(rest, end.as_bytes()).map(|at| &rest[at + end.len()..]),
    };
    matches!(after, Some(b"" | b"\r\n"))
}

/// The headers of a part, sorted by name.
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

/// The output of a future that reads a complete body, which never has to wait.
fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::{multipart, urlencoded};
    use crate::request::media_type::{BodyFormat, MediaType};

    /// Bytes that are often almost a form.
    fn pieces(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..3),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn near_a_form() -> impl Strategy<Value = Vec<u8>> {
        pieces(&[
            b"&",
            b"=",
            b"+",
            b"%7e",
            b"%2B",
            b"%",
            b"a",
            b"b",
            b"\xc3\xa9",
            b"%ff",
        ])
    }

    fn near_a_multipart() -> impl Strategy<Value = Vec<u8>> {
        pieces(&[
            b"--x",
            b"--x\r\n",
            b"\r\n--x",
            b"--",
            b"\r\n",
            b"\r\n\r\n",
            b"b",
            b"Content-Disposition: form-data; name=\"a\"",
            b"; name=c",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_spelling_of_a_form_stays_as_it_is(body in near_a_form()) {
            if let Some(spelled) = urlencoded(&body) {
                let again = urlencoded(&spelled);
                prop_assert_eq!(again, Some(spelled));
            }
        }

        #[test]
        fn any_bytes_are_a_multipart_or_not(body in near_a_multipart()) {
            let body = Bytes::from(body);
            let read = multipart(&body, "x", true);
            prop_assert_eq!(&multipart(&body, "x", true), &read);
            prop_assert!(read.is_none() || multipart(&body, "x", false).is_some());
            // No content can hide behind the last boundary.
            let more = Bytes::from([&body, &b"\r\nmore"[..]].concat());
            prop_assert!(read.is_none() || multipart(&more, "x", true).is_none());
        }

        #[test]
        fn any_header_is_a_type_or_not(value in "[ -~]{0,20}|multipart/[a-z]{1,5}[; ]{0,2}(boundary=)?[ -~]{0,6}") {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_str(&value).expect("printable"));
            let read = MediaType::of(&headers);
            if matches!(read.body_format(), BodyFormat::Multipart { .. }) {
                prop_assert_ne!(read.spelled(true), read.spelled(false));
            }
        }
    }

    #[test]
    fn a_form_of_no_fields_is_one_form() {
        let read = |body: &'static [u8]| multipart(&Bytes::from_static(body), "x", true);
        let empty = Some(Vec::new());
        assert_eq!(
            [read(b"--x--"), read(b"--x--\r\n"), read(b"\r\n--x--\r\n")],
            [empty.clone(), empty.clone(), empty]
        );
        for more in [
            &b"--x--y"[..],
            b"--x--\r\n--x--",
            b"y--x--",
            b"--x-",
            b"--y--",
            b"",
        ] {
            assert_eq!(
                multipart(&Bytes::from_static(more), "x", true),
                None,
                "{more:?}"
            );
        }
        let one: &[u8] = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--";
        let read = multipart(&Bytes::from_static(one), "x", true);
        assert!(read.is_some());
        let after_a_line = Bytes::from([b"\r\n", one, b"\r\n"].concat());
        assert_eq!(multipart(&after_a_line, "x", true), read);
    }
}
