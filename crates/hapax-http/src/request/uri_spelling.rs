//! One spelling for all paths, and all queries, with the same meaning (RFC 3986 section 6.2.2).
//!
//! Characters that need no encoding are decoded, other encodings get upper-case digits, characters that a URI does not
//! allow are encoded, and paths lose their dot segments. An encoded `/` stays different from `/`, and an encoded `+`
//! from `+`.

use std::fmt::Write;

/// Besides letters and digits, these characters need no encoding (section 2.3).
const UNRESERVED: &[u8] = b"-._~";

/// These characters are allowed, and mean something else when encoded (sections 3.3 and 3.4).
const RESERVED: &[u8] = b"!$&'()*+,;=:@/?";

/// The one spelling of a path.
pub(crate) fn path(path: &str) -> String {
    without_dot_segments(spelled(path))
}

/// The one spelling of a query. The order of its parts counts.
pub(crate) fn query(query: &str) -> String {
    spelled(query)
}

fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let [byte, after @ ..] = left {
        let decoded = decoded(left);
        let is_encoded = decoded.is_some();
        let (byte, after) = decoded.unwrap_or((*byte, after));
        left = after;
        let stands = byte.is_ascii_alphanumeric()
            || UNRESERVED.contains(&byte)
            || !is_encoded && RESERVED.contains(&byte);
        if stands {
            out.push(char::from(byte));
        } else {
            // A `%` that encodes nothing is a plain `%`, as for most parsers.
            let written = write!(out, "%{byte:02X}");
            written.expect("a string takes any text");
        }
    }
    out
}

/// The byte that is encoded at the start of the text, and the rest.
fn decoded(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(*high)? * 16 + digit(*low)?;
    Some((u8::try_from(byte).ok()?, after))
}

/// Removes dot segments (section 5.2.4).
fn without_dot_segments(path: String) -> String {
    if !path.starts_with('/') || !path.contains("/.") {
        return path;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => {
                kept.push(other);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{path, query};

    /// The examples of RFC 3986, sections 2.3, 5.2.4, 5.4 and 6.2.2, and paths that routers and proxies disagree on.
    #[test]
    fn paths_of_one_meaning_have_one_spelling() {
        for (spelling, wanted) in [
            ("/pay/%7Ebob", "/pay/~bob"),
            ("/pay/%7ebob", "/pay/~bob"),
            ("/a%2fb", "/a%2Fb"),
            ("/a/b/c/./../../g", "/a/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("/g.", "/g."),
            ("/..g", "/..g"),
            ("/b/c/..", "/b/"),
            ("/b/c/.", "/b/c/"),
            ("/..", "/"),
            ("/a//../b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/%2e%2E/%2e/pay", "/pay"),
            ("/%41%62%30%2D%5F", "/Ab0-_"),
            ("/a|b{c}\"[d]", "/a%7Cb%7Bc%7D%22%5Bd%5D"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
            ("/%%34%31", "/%2541"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path(spelling), wanted, "{spelling}");
        }
        assert_eq!(query("a=%7e&b=%2b+&c[]=../."), "a=~&b=%2B+&c%5B%5D=../.");
    }

    #[test]
    fn what_means_something_else_stays_apart() {
        for (one, other) in [
            ("/a%2Fb", "/a/b"),
            ("/a%3Fb", "/a?b"),
            ("/a%3Bb", "/a;b"),
            ("/a%252Fb", "/a%2Fb"),
            ("/a", "/A"),
            ("/a", "/a/"),
            ("/a//b", "/a/b"),
            ("/a+b", "/a%20b"),
        ] {
            assert_ne!(path(one), path(other));
        }
        assert_ne!(query("a=1&b=2"), query("b=2&a=1"));
        assert_ne!(query("a=%26"), query("a=&"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_spelling_stays_as_it_is(text in "[ -~\u{e9}]{0,20}|(/|%2[efEF]|\\.|%|[a-z])*") {
            let text = format!("/{text}");
            let once = path(&text);
            prop_assert!(once.starts_with('/') && !once.contains("/../") && !once.contains("/./"));
            prop_assert_eq!(&path(&once), &once);
            prop_assert_eq!(query(&query(&text)), query(&text));
        }

        /// A path with every byte encoded, in either case, is the same path.
        #[test]
        fn encoding_what_needs_none_changes_nothing(text in "[a-zA-Z0-9._~-]{1,20}", upper: bool) {
            let encoded: String = text
                .bytes()
                .map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") })
                .collect();
            prop_assert_eq!(path(&format!("/x{text}")), path(&format!("/x{encoded}")));
        }
    }
}
