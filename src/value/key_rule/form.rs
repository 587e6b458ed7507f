//! The forms of well-known identifiers: their bytes, and which of them are random.

use std::borrow::Cow;

use crate::value::key_rule::entropy::{most_shannon_bits, shannon_bits};

const UUID_BYTES: usize = 36;
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_VERSION: usize = 14;
const UUID_VARIANT: usize = 19;
const UUID_VARIANTS: &[u8] = b"89abAB";

const ULID_BYTES: usize = 26;
/// The first ten characters are the time.
const ULID_RANDOM: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyForm {
    Any,
    /// With one of these version digits: 4, 7 or both.
    Uuid(&'static [u8]),
    Ulid,
}

impl KeyForm {
    /// The name for clients; `None` if only the length matters.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Uuid(b"4") => Some("a UUID of version 4, with its hyphens"),
            Self::Uuid(b"7") => Some("a UUID of version 7, with its hyphens"),
            Self::Uuid(_) => Some("a UUID of version 4 or 7, with its hyphens"),
            Self::Ulid => Some("a ULID"),
        }
    }

    /// The number of bytes, if that is fixed.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Self::Any => None,
            Self::Uuid(_) => Some(UUID_BYTES),
            Self::Ulid => Some(ULID_BYTES),
        }
    }

    pub(super) fn fits(self, key: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Uuid(versions) => is_uuid(key.as_bytes(), versions),
            Self::Ulid => is_ulid(key.as_bytes()),
        }
    }

    /// The one spelling of a key that fits.
    pub(super) fn canonical(self, key: &str) -> Cow<'_, str> {
        match self {
            Self::Uuid(_) if key.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(key.to_ascii_lowercase())
            }
            Self::Ulid if key.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                Cow::Owned(key.to_ascii_uppercase())
            }
            Self::Any | Self::Uuid(_) | Self::Ulid => Cow::Borrowed(key),
        }
    }

    /// The estimated entropy of a key that fits.
    pub(super) fn entropy_bits(self, key: &str) -> f64 {
        let key = self.canonical(key);
        let key = key.as_bytes();
        match self {
            Self::Any => shannon_bits(key.iter().copied()),
            Self::Uuid(_) => {
                let random = RandomPart::of_uuid(key[UUID_VERSION]);
                random.at_most(shannon_bits(
                    (random.from..UUID_BYTES)
                        .filter(|at| *at != UUID_VERSION && !UUID_HYPHENS.contains(at))
                        .map(|at| key[at]),
                ))
            }
            Self::Ulid => RandomPart::OF_ULID.at_most(shannon_bits(
                key[RandomPart::OF_ULID.from..].iter().copied(),
            )),
        }
    }

    /// The most that [`entropy_bits`](Self::entropy_bits) can give for a key of the allowed characters.
    pub(super) fn most_bits(self, max_bytes: usize, allowed: impl Fn(u8) -> bool) -> f64 {
        let among = |all: &[u8]| all.iter().filter(|byte| spelled(**byte, &allowed)).count();
        match self {
            Self::Any => {
                let kinds = (b' '..=b'~').filter(|byte| allowed(*byte)).count();
                most_shannon_bits(max_bytes, kinds)
            }
            Self::Uuid(versions) => versions
                .iter()
                .map(|version| RandomPart::of_uuid(*version))
                .map(|random| {
                    random.at_most(most_shannon_bits(
                        random.characters,
                        among(b"0123456789abcdef"),
                    ))
                })
                .fold(0.0, f64::max),
            Self::Ulid => {
                let kinds = among(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ");
                RandomPart::OF_ULID
                    .at_most(most_shannon_bits(RandomPart::OF_ULID.characters, kinds))
            }
        }
    }

    /// Whether the allowed characters include those that every key of this form needs.
    pub(super) fn can_be_spelled(self, allowed: impl Fn(u8) -> bool) -> bool {
        let one_of = |bytes: &[u8]| bytes.iter().any(|byte| allowed(*byte));
        match self {
            Self::Any => true,
            Self::Uuid(versions) => one_of(b"-") && one_of(versions) && one_of(UUID_VARIANTS),
            Self::Ulid => one_of(b"01234567"),
        }
    }
}

/// Whether a character is allowed in upper or lower case.
fn spelled(byte: u8, allowed: impl Fn(u8) -> bool) -> bool {
    allowed(byte.to_ascii_lowercase()) || allowed(byte.to_ascii_uppercase())
}

/// The random part of a form.
struct RandomPart {
    /// The position of its first character.
    from: usize,
    /// The number of characters that have random bits.
    characters: usize,
    bits: f64,
}

impl RandomPart {
    const OF_ULID: Self = Self {
        from: ULID_RANDOM,
        characters: ULID_BYTES - ULID_RANDOM,
        bits: 80.0,
    };

    fn of_uuid(version: u8) -> Self {
        match version {
            // The digits before the version are the time.
            b'7' => Self {
                from: UUID_VERSION,
                characters: 19,
                bits: 74.0,
            },
            _ => Self {
                from: 0,
                characters: 31,
                bits: 122.0,
            },
        }
    }

    fn at_most(&self, estimate: f64) -> f64 {
        estimate.min(self.bits)
    }
}

fn is_uuid(key: &[u8], versions: &[u8]) -> bool {
    key.len() == UUID_BYTES
        && versions.contains(&key[UUID_VERSION])
        && UUID_VARIANTS.contains(&key[UUID_VARIANT])
        && key.iter().enumerate().all(|(at, byte)| {
            if UUID_HYPHENS.contains(&at) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

fn is_ulid(key: &[u8]) -> bool {
    let digit =
        |byte: &u8| byte.is_ascii_alphanumeric() && !b"ILOU".contains(&byte.to_ascii_uppercase());
    // 26 digits of 5 bits are 130 bits, but a ULID has only 128.
    key.len() == ULID_BYTES && key[0] <= b'7' && key.iter().all(digit)
}
