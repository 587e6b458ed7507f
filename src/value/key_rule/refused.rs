//! Why a rule refuses a key ([`KeyRefused`]), and why a rule is invalid ([`InvalidRule`]).

use std::error::Error as StdError;
use std::fmt;

use crate::value::error::Error;
use crate::value::key::KEY_BYTES_MAX;

/// A key that the rule refuses. The text says what to send, and never quotes the key.
///
/// # Examples
///
/// ```
/// use hapax::key::{KeyFault, KeyRule};
///
/// let refused = KeyRule::uuid().check("1234").expect_err("it is not a UUID");
/// assert_eq!(refused.fault(), KeyFault::Form);
/// println!("{refused}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRefused {
    fault: KeyFault,
    wanted: String,
}

impl KeyRefused {
    pub(super) fn new(fault: KeyFault, wanted: String) -> Self {
        Self { fault, wanted }
    }

    /// The fault of the key. For a rule with several choices, it is the fault in the choice that the key comes
    /// closest to.
    #[must_use]
    pub fn fault(&self) -> KeyFault {
        self.fault
    }

    /// What the rule accepts, in words: for example `a UUID of version 4, with its hyphens`.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.wanted
    }
}

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; send {}", self.fault, self.wanted)
    }
}

impl StdError for KeyRefused {}

/// [`Invalid`](crate::ErrorKind::Invalid), with the same text.
impl From<KeyRefused> for Error {
    fn from(refused: KeyRefused) -> Self {
        Self::invalid(refused.to_string()).with_source(refused)
    }
}

/// What is wrong with a key.
///
/// # Examples
///
/// ```
/// use hapax::key::{KeyFault, KeyRule};
///
/// let refused = KeyRule::any().min_bytes(20).check("1234").expect_err("it is too short");
/// assert!(matches!(refused.fault(), KeyFault::TooShort { bytes: 4, min_bytes: 20 }));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFault {
    /// It is not a UUID of the right version, or not a ULID.
    Form,
    /// It has too few bytes.
    TooShort {
        /// The number of bytes.
        bytes: usize,
        /// The fewest that are allowed.
        min_bytes: usize,
    },
    /// It has too many bytes.
    TooLong {
        /// The number of bytes.
        bytes: usize,
        /// The most that are allowed.
        max_bytes: usize,
    },
    /// It has a character outside the alphabet.
    Alphabet,
    /// It is too easy to guess, by the estimate of
    /// [`KeyRule::min_entropy_bits`](crate::key::KeyRule::min_entropy_bits).
    LowEntropy {
        /// The least entropy that is allowed.
        min_bits: u32,
    },
}

impl KeyFault {
    /// The number of checks that the key passed.
    pub(super) fn closeness(self) -> u8 {
        match self {
            Self::Form => 0,
            Self::TooShort { .. } | Self::TooLong { .. } => 1,
            Self::Alphabet => 2,
            Self::LowEntropy { .. } => 3,
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("the key does not have the required form"),
            Self::TooShort { bytes, min_bytes } => {
                write!(f, "the key has {bytes} bytes, fewer than {min_bytes}")
            }
            Self::TooLong { bytes, max_bytes } => {
                write!(f, "the key has {bytes} bytes, more than {max_bytes}")
            }
            Self::Alphabet => f.write_str("the key has a character that is not allowed"),
            Self::LowEntropy { min_bits } => {
                write!(
                    f,
                    "the key is too easy to guess: it has less than {min_bits} bits of entropy"
                )
            }
        }
    }
}

/// The settings of a rule contradict each other, so no key can meet one of its choices.
///
/// # Examples
///
/// ```
/// use hapax::key::{InvalidRule, KeyRule};
///
/// let rule = KeyRule::any().min_bytes(20).max_bytes(10);
/// assert!(matches!(rule.validate(), Err(InvalidRule::MinOverMax { .. })));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidRule {
    /// The minimum exceeds the maximum, or the maximum is zero.
    MinOverMax {
        /// The minimum.
        min_bytes: usize,
        /// The maximum.
        max_bytes: usize,
    },
    /// The maximum exceeds the length of any key.
    MaxBytes {
        /// The maximum.
        max_bytes: usize,
    },
    /// The fixed length of the form is outside the bounds.
    FormBytes {
        /// The length of the form.
        form_bytes: usize,
    },
    /// The alphabet has no characters.
    EmptyAlphabet,
    /// The alphabet has a character that is not printable ASCII.
    ForeignCharacter,
    /// The alphabet lacks characters that the form needs.
    FormAlphabet,
    /// The required entropy exceeds what the length, the alphabet or the form allow.
    Entropy {
        /// The required entropy.
        min_bits: u32,
    },
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinOverMax {
                min_bytes,
                max_bytes,
            } => write!(
                f,
                "no key has at least {min_bytes} and at most {max_bytes} bytes: raise max_bytes or lower min_bytes"
            ),
            Self::MaxBytes { max_bytes } => write!(
                f,
                "max_bytes is {max_bytes}, and a key has at most {KEY_BYTES_MAX} bytes: lower it"
            ),
            Self::FormBytes { form_bytes } => write!(
                f,
                "a key of this form has {form_bytes} bytes: remove min_bytes and max_bytes, or let them include that length"
            ),
            Self::EmptyAlphabet => {
                f.write_str("the alphabet is empty: name the characters that a key may have")
            }
            Self::ForeignCharacter => f.write_str(
                "the alphabet has a character that no key can have: name printable ASCII characters only",
            ),
            Self::FormAlphabet => f.write_str(
                "a key of this form needs characters outside the alphabet: remove the alphabet",
            ),
            Self::Entropy { min_bits } => write!(
                f,
                "no key that the rule allows has {min_bits} bits of entropy: lower min_entropy_bits, or allow longer keys"
            ),
        }
    }
}

impl StdError for InvalidRule {}

/// [`Invalid`](crate::ErrorKind::Invalid), with the same text.
impl From<InvalidRule> for Error {
    fn from(invalid: InvalidRule) -> Self {
        Self::invalid(invalid.to_string()).with_source(invalid)
    }
}
