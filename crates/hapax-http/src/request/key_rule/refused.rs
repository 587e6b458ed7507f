//! Why a key is refused, and why a rule is.

use std::error::Error;
use std::fmt;

use crate::request::header::CLIENT_KEY_BYTES_MAX;

/// A key does not look as the rule wants it. The text says what is wanted, and never quotes the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRefused {
    fault: KeyFault,
    wanted: String,
}

impl KeyRefused {
    pub(super) fn new(fault: KeyFault, wanted: String) -> Self {
        Self { fault, wanted }
    }

    /// What is wrong. Of a rule with several choices, it is the fault in the choice that the key came
    /// closest to.
    #[must_use]
    pub fn fault(&self) -> KeyFault {
        self.fault
    }

    /// What the rule takes, in words: for example `a UUID of version 4, with its hyphens`.
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

impl Error for KeyRefused {}

/// What is wrong with a key.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFault {
    /// It is not a UUID of such a version, or not a ULID.
    Form,
    /// It has too few bytes.
    TooShort {
        /// How many it has.
        bytes: usize,
        /// How many it needs.
        min_bytes: usize,
    },
    /// It has too many bytes.
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max_bytes: usize,
    },
    /// It has a character outside the alphabet.
    Alphabet,
    /// It would be too easy to guess, by the estimate of
    /// [`KeyRule::min_entropy_bits`](crate::KeyRule::min_entropy_bits).
    LowEntropy {
        /// What it needs.
        min_bits: u32,
    },
}

impl KeyFault {
    /// How many checks the key had passed.
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
            Self::Form => f.write_str("the key does not have the form that is wanted"),
            Self::TooShort { bytes, min_bytes } => {
                write!(f, "the key has {bytes} bytes, fewer than {min_bytes}")
            }
            Self::TooLong { bytes, max_bytes } => {
                write!(f, "the key has {bytes} bytes, more than {max_bytes}")
            }
            Self::Alphabet => f.write_str("the key has a character that is not allowed"),
            Self::LowEntropy { min_bits } => {
                write!(f, "the key is too easy to guess for {min_bits} bits")
            }
        }
    }
}

/// The settings of a rule contradict each other: no key, or no key of one of its choices, could pass.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidRule {
    /// The fewest bytes are more than the most, or the most are none.
    MinOverMax {
        /// The fewest.
        min_bytes: usize,
        /// The most.
        max_bytes: usize,
    },
    /// More bytes are allowed than any key has.
    MaxBytes {
        /// The most.
        max_bytes: usize,
    },
    /// The form has a fixed length that is out of bounds.
    FormBytes {
        /// The length of the form.
        form_bytes: usize,
    },
    /// The alphabet has no characters.
    EmptyAlphabet,
    /// The alphabet has something other than printable ASCII.
    ForeignCharacter,
    /// The form cannot be written in the alphabet.
    FormAlphabet,
    /// More entropy is wanted than the length, the alphabet or the form can have.
    Entropy {
        /// What is wanted.
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
                "a key is to have at least {min_bytes} and at most {max_bytes} bytes: raise max_bytes or lower min_bytes"
            ),
            Self::MaxBytes { max_bytes } => write!(
                f,
                "max_bytes is {max_bytes}, and a key has at most {CLIENT_KEY_BYTES_MAX} bytes: lower it"
            ),
            Self::FormBytes { form_bytes } => write!(
                f,
                "a key of this form has {form_bytes} bytes: leave min_bytes and max_bytes alone"
            ),
            Self::EmptyAlphabet => {
                f.write_str("the alphabet is empty: name the characters that a key may have")
            }
            Self::ForeignCharacter => f.write_str(
                "the alphabet has a character that no key can have: name printable ASCII characters only",
            ),
            Self::FormAlphabet => f.write_str(
                "a key of this form cannot be written in the alphabet: leave the alphabet alone",
            ),
            Self::Entropy { min_bits } => write!(
                f,
                "no key that the rule allows has {min_bits} bits of entropy: lower min_entropy_bits, or allow longer keys"
            ),
        }
    }
}

impl Error for InvalidRule {}
