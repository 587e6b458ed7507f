//! [`ClientKey`]: the key that a client chose.

use std::fmt;

use hapax_http_types::CLIENT_KEY_BYTES_MAX;

use crate::request::header::malformed_key::MalformedKey;

/// The key that a client chose: 1 to 255 printable ASCII characters, without the quotes.
///
/// A key gives access to the answer that is stored under it, so `Debug` shows only its length, and there is no
/// `Display`.
///
/// # Examples
///
/// ```
/// use hapax_http::{KeySyntax, parse_key};
///
/// let key = parse_key(b"\"8e03978e\"", KeySyntax::Strict)?;
/// assert_eq!(key.as_str(), "8e03978e");
/// assert_eq!(format!("{key:?}"), "ClientKey(8 bytes)");
/// # Ok::<(), hapax_http::MalformedKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientKey(Box<str>);

impl ClientKey {
    /// The key, without its quotes and escapes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn new(text: &str) -> Result<Self, MalformedKey> {
        match text.len() {
            0 => Err(MalformedKey::Empty),
            1..=CLIENT_KEY_BYTES_MAX => Ok(Self(text.into())),
            bytes => Err(MalformedKey::TooLong { bytes }),
        }
    }
}

impl AsRef<str> for ClientKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({} bytes)", self.0.len())
    }
}
