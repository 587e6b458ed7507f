//! [`Alphabet`]: the characters that a key may have.

/// The printable characters of ASCII, which all keys consist of.
const PRINTABLE: std::ops::RangeInclusive<u8> = b' '..=b'~';

/// A set of printable characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Alphabet {
    /// One bit per ASCII character.
    allowed: u128,
    /// Whether the service asked for a character that no key can have.
    foreign: bool,
}

impl Alphabet {
    pub(super) const PRINTABLE: Self = Self {
        allowed: ((1 << 95) - 1) << 32,
        foreign: false,
    };

    pub(super) fn new(characters: &str) -> Self {
        let mut alphabet = Self::default();
        for byte in characters.bytes() {
            if PRINTABLE.contains(&byte) {
                alphabet.allowed |= 1 << byte;
            } else {
                alphabet.foreign = true;
            }
        }
        alphabet
    }

    pub(super) fn has(self, byte: u8) -> bool {
        byte.is_ascii() && (self.allowed >> byte) & 1 == 1
    }

    pub(super) fn is_empty(self) -> bool {
        self.allowed == 0
    }

    pub(super) fn has_foreign(self) -> bool {
        self.foreign
    }

    pub(super) fn characters(self) -> String {
        let allowed = PRINTABLE.filter(|byte| self.has(*byte));
        allowed.map(char::from).collect()
    }
}
