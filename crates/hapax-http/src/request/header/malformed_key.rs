//! [`MalformedKey`]: why no key can be read from a header.

use std::fmt;

use hapax_http_types::CLIENT_KEY_BYTES_MAX;

/// Why no key can be read from a header. The text never quotes the value.
///
/// Positions count bytes from 0, in the value without leading blanks.
///
/// # Examples
///
/// ```
/// use hapax_http::{KeySyntax, MalformedKey, parse_key};
///
/// assert_eq!(parse_key(b"", KeySyntax::Lenient), Err(MalformedKey::Empty));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MalformedKey {
    /// The header is empty, or its key is empty.
    Empty,
    /// The header was sent in several lines. Even equal lines are refused, because a proxy may join them to a list.
    Repeated {
        /// The number of lines.
        lines: usize,
    },
    /// The value is a list instead of one key.
    List,
    /// The value is not in double quotes; an error in strict syntax only.
    NotAString,
    /// The value has a byte that is not ASCII.
    NotAscii {
        /// The position of the byte.
        at: usize,
    },
    /// A quoted key has no end, has a control character or an escape other than `\"` and `\\`, or is followed by
    /// something other than parameters. In strict syntax, tabs around it are an error too.
    BadString {
        /// The position where reading stopped.
        at: usize,
    },
    /// A key without quotes has a character that needs quotes.
    BadCharacter {
        /// The position of the byte.
        at: usize,
    },
    /// The key is longer than [`CLIENT_KEY_BYTES_MAX`].
    TooLong {
        /// The length of the key.
        bytes: usize,
    },
}

impl fmt::Display for MalformedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the header has no key"),
            Self::Repeated { lines } => write!(f, "the header was sent {lines} times"),
            Self::List => f.write_str("the header has a list instead of one key"),
            Self::NotAString => f.write_str("the key is not in double quotes"),
            Self::NotAscii { at } => write!(f, "byte {at} of the header is not ASCII"),
            Self::BadString { at } => write!(
                f,
                "the quoted key cannot be read past byte {at}: between the quotes, use printable ASCII \
                 characters, and write a backslash before each quote and each backslash"
            ),
            Self::BadCharacter { at } => {
                write!(f, "byte {at} is not allowed in a key without quotes")
            }
            Self::TooLong { bytes } => write!(f, "the key has {bytes} bytes"),
        }?;
        write!(
            f,
            "; send one header line with one key of 1 to {CLIENT_KEY_BYTES_MAX} bytes in double \
             quotes, for example \"<a UUID>\""
        )
    }
}

impl std::error::Error for MalformedKey {}
