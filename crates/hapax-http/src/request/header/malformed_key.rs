//! [`MalformedKey`]: why a header has no key that can be read.

use std::fmt;

use hapax_http_types::CLIENT_KEY_BYTES_MAX;

/// Why a header has no key that can be read. Its text never quotes the value.
///
/// A place is counted in bytes from 0, in the value without the blanks before it.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MalformedKey {
    /// The header is there, and has no key, or an empty one.
    Empty,
    /// The header was sent in several lines. They may be equal: a proxy that joins them would not
    /// know, so neither is guessed.
    Repeated {
        /// How many there are.
        lines: usize,
    },
    /// The value is a list, where one key is wanted.
    List,
    /// The value is not in double quotes. In strict syntax only.
    NotAString,
    /// The value has something other than ASCII.
    NotAscii {
        /// Where it is.
        at: usize,
    },
    /// A quoted key does not end, has a control character or another escape than `\"` and `\\`, or
    /// something other than parameters follows it. In strict syntax, a tab around it counts too.
    BadString {
        /// Where reading stopped.
        at: usize,
    },
    /// A key without quotes has a character that has to be quoted.
    BadCharacter {
        /// Where it is.
        at: usize,
    },
    /// The key is over [`CLIENT_KEY_BYTES_MAX`].
    TooLong {
        /// How long it is.
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
                "the quoted key cannot be read past byte {at}: between its quotes stand printable \
                 ASCII characters, where a quote and a backslash follow a backslash"
            ),
            Self::BadCharacter { at } => {
                write!(f, "byte {at} cannot stand in a key without quotes")
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
