//! Reads a key from its header, in a [`KeySyntax`].

use http::{HeaderMap, HeaderName};
use sfv::visitor::Ignored;
use sfv::{BareItemFromInput, Parser, Version};

use crate::request::header::client_key::ClientKey;
use crate::request::header::malformed_key::MalformedKey;

/// Which spellings of a key are accepted.
///
/// # Examples
///
/// ```
/// use hapax_http::{KeySyntax, parse_key};
///
/// assert!(parse_key(b"8e03978e", KeySyntax::Lenient).is_ok());
/// assert!(parse_key(b"8e03978e", KeySyntax::Strict).is_err(), "it has no quotes");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum KeySyntax {
    /// A String in double quotes, or a key without quotes: visible ASCII characters other than `"`, `\`, `,` and `;`
    /// that do not start with `(`. The default.
    #[default]
    Lenient,
    /// Only an RFC 8941 Item that is a String.
    Strict,
}

/// Reads the key from the header with this name; `None` without such a header.
///
/// # Errors
///
/// The errors of [`parse_key`], and an error if the header has several lines, even equal ones.
///
/// # Examples
///
/// ```
/// use hapax_http::{KeySyntax, key_of};
/// use http::{HeaderMap, HeaderName, HeaderValue};
///
/// let name = HeaderName::from_static("idempotency-key");
/// let mut headers = HeaderMap::new();
/// assert_eq!(key_of(&headers, &name, KeySyntax::Strict)?, None);
///
/// headers.insert(&name, HeaderValue::from_static("\"8e03978e\""));
/// let key = key_of(&headers, &name, KeySyntax::Strict)?;
/// assert_eq!(key.expect("it was sent").as_str(), "8e03978e");
/// # Ok::<(), hapax_http::MalformedKey>(())
/// ```
pub fn key_of(
    headers: &HeaderMap,
    name: &HeaderName,
    syntax: KeySyntax,
) -> Result<Option<ClientKey>, MalformedKey> {
    let mut lines = headers.get_all(name).iter();
    let Some(value) = lines.next() else {
        return Ok(None);
    };
    match lines.count() {
        0 => parse_key(value.as_bytes(), syntax).map(Some),
        more => Err(MalformedKey::Repeated { lines: 1 + more }),
    }
}

/// Reads a key from the value of one header line.
///
/// # Errors
///
/// [`MalformedKey`], with the position and what to send instead.
///
/// # Examples
///
/// ```
/// use hapax_http::{KeySyntax, parse_key};
///
/// let quoted = parse_key(b"\"8e03978e\"", KeySyntax::Strict)?;
/// let bare = parse_key(b"8e03978e", KeySyntax::Lenient)?;
/// assert_eq!(quoted, bare);
/// assert!(parse_key(b"8e03978e", KeySyntax::Strict).is_err());
/// # Ok::<(), hapax_http::MalformedKey>(())
/// ```
pub fn parse_key(value: &[u8], syntax: KeySyntax) -> Result<ClientKey, MalformedKey> {
    let text = match syntax {
        KeySyntax::Strict => skip(value, b" "),
        KeySyntax::Lenient => skip(skip_end(value), b" \t"),
    };
    if skip_end(text).is_empty() {
        return Err(MalformedKey::Empty);
    }
    match (text.first(), syntax) {
        (Some(b'"'), _) | (_, KeySyntax::Strict) => quoted(text),
        (_, KeySyntax::Lenient) => bare(text),
    }
}

fn skip<'a>(text: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    let start = text.iter().position(|byte| !blanks.contains(byte));
    &text[start.unwrap_or(text.len())..]
}

fn skip_end(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|byte| !b" \t".contains(byte));
    &text[..last.map_or(0, |last| last + 1)]
}

fn quoted(text: &[u8]) -> Result<ClientKey, MalformedKey> {
    match item(text) {
        Ok(BareItemFromInput::String(key)) => ClientKey::new(key.as_str()),
        Ok(_) => Err(MalformedKey::NotAString),
        Err(error) => Err(diagnose(text, &error)),
    }
}

fn item(text: &[u8]) -> Result<BareItemFromInput<'_>, sfv::Error> {
    Parser::new(text)
        .with_version(Version::Rfc8941)
        .parse_item()
}

/// Why a value is not an Item.
fn diagnose(text: &[u8], error: &sfv::Error) -> MalformedKey {
    if let Some(at) = not_ascii(text) {
        return MalformedKey::NotAscii { at };
    }
    // A List may end in a tab and an Item may not, so the tab alone does not make a list.
    let trimmed = skip_end(text);
    let list = Parser::new(trimmed).with_version(Version::Rfc8941);
    if item(trimmed).is_err() && list.parse_list_with_visitor(Ignored).is_ok() {
        return MalformedKey::List;
    }
    // If a quote follows a leading tab, the tab is the error.
    if skip(text, b" \t").first() != Some(&b'"') {
        return MalformedKey::NotAString;
    }
    let at = error.index().unwrap_or(text.len());
    MalformedKey::BadString { at }
}

fn not_ascii(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !byte.is_ascii())
}

fn bare(text: &[u8]) -> Result<ClientKey, MalformedKey> {
    if let Some(at) = not_ascii(text) {
        return Err(MalformedKey::NotAscii { at });
    }
    // No client means an inner list as a key.
    if text.first() == Some(&b'(') {
        return Err(MalformedKey::List);
    }
    let bad = |byte: &u8| !byte.is_ascii_graphic() || b"\"\\,;".contains(byte);
    if let Some(at) = text.iter().position(bad) {
        return Err(match text[at] {
            b',' => MalformedKey::List,
            _ => MalformedKey::BadCharacter { at },
        });
    }
    // The check above leaves only ASCII.
    let key = std::str::from_utf8(text).map_err(|error| MalformedKey::NotAscii {
        at: error.valid_up_to(),
    })?;
    ClientKey::new(key)
}
