//! Header lines as bytes: the number of lines, then the name and the value of each, with their lengths.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The bit in the length of a value that marks the value as sensitive.
const SENSITIVE: u32 = 1 << 31;

/// The most header lines, and the most trailers, of a response that can be stored. A response over it is stored like
/// one whose body is over the limit.
const LINES_MAX: usize = u16::MAX as usize;

pub(crate) fn encode(headers: &HeaderMap, out: &mut Vec<u8>) -> Option<()> {
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

pub(crate) fn decode(bytes: &mut Bytes) -> Option<HeaderMap> {
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

pub(crate) fn take<const N: usize>(bytes: &mut Bytes) -> Option<[u8; N]> {
    slice(bytes, N)?.as_ref().try_into().ok()
}

fn slice(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}
