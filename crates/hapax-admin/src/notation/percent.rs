//! Percent-encoding: how paths and queries write bytes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Every byte except the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Keeps unreserved characters, and writes every other byte as `%XX`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

/// The bytes that `text` stands for. `None` if a percent sign lacks its two digits, because two readers
/// could then read two keys from one path.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    };
    let whole = text.split('%').skip(1).all(is_escape);
    whole.then(|| percent_decode_str(text).collect())
}

#[cfg(test)]
mod tests {
    use super::{decoded, escaped};

    #[test]
    fn keys_are_escaped_to_plain_ascii() {
        assert_eq!(escaped(b"order-42"), "order-42");
        assert_eq!(escaped(b"a/b\r\n%\xff"), "a%2Fb%0D%0A%25%FF");
    }

    #[test]
    fn half_an_escape_is_refused() {
        for text in ["%", "%4", "%zz", "a%4", "%%41", "%+1"] {
            assert_eq!(decoded(text), None, "{text}");
        }
        assert_eq!(decoded("%2541"), Some(b"%41".to_vec()), "decoded once");
    }
}
