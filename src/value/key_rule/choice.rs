//! [`Choice`]: one of the forms that a rule accepts.

use crate::value::key::KEY_BYTES_MAX;
use crate::value::key_rule::alphabet::Alphabet;
use crate::value::key_rule::form::KeyForm;
use crate::value::key_rule::refused::{InvalidRule, KeyFault};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    pub(super) form: KeyForm,
    pub(super) min_bytes: usize,
    pub(super) max_bytes: usize,
    pub(super) alphabet: Option<Alphabet>,
    pub(super) min_entropy_bits: u32,
}

impl Choice {
    /// All keys of a form.
    pub(super) fn of(form: KeyForm) -> Self {
        Self {
            form,
            min_bytes: 1,
            max_bytes: KEY_BYTES_MAX,
            alphabet: None,
            min_entropy_bits: 0,
        }
    }

    pub(super) fn check(&self, key: &str) -> Result<(), KeyFault> {
        let bytes = key.len();
        if !self.form.fits(key) {
            return Err(KeyFault::Form);
        }
        // A key has at least one byte.
        let min_bytes = self.min_bytes.max(1);
        if bytes < min_bytes {
            return Err(KeyFault::TooShort { bytes, min_bytes });
        }
        if bytes > self.max_bytes {
            let max_bytes = self.max_bytes;
            return Err(KeyFault::TooLong { bytes, max_bytes });
        }
        let alphabet = self.alphabet.unwrap_or(Alphabet::PRINTABLE);
        if !key.bytes().all(|byte| alphabet.has(byte)) {
            return Err(KeyFault::Alphabet);
        }
        let min_bits = self.min_entropy_bits;
        if min_bits > 0 && self.form.entropy_bits(key) < f64::from(min_bits) {
            return Err(KeyFault::LowEntropy { min_bits });
        }
        Ok(())
    }

    pub(super) fn validate(&self) -> Result<(), InvalidRule> {
        let (min_bytes, max_bytes) = (self.min_bytes, self.max_bytes);
        if max_bytes > KEY_BYTES_MAX {
            return Err(InvalidRule::MaxBytes { max_bytes });
        }
        // A key has at least one byte.
        if min_bytes.max(1) > max_bytes {
            return Err(InvalidRule::MinOverMax {
                min_bytes,
                max_bytes,
            });
        }
        if let Some(form_bytes) = self.form.bytes() {
            if !(min_bytes..=max_bytes).contains(&form_bytes) {
                return Err(InvalidRule::FormBytes { form_bytes });
            }
        }
        let alphabet = self.alphabet.unwrap_or(Alphabet::PRINTABLE);
        if alphabet.has_foreign() {
            return Err(InvalidRule::ForeignCharacter);
        }
        if alphabet.is_empty() {
            return Err(InvalidRule::EmptyAlphabet);
        }
        if !self.form.can_be_spelled(|byte| alphabet.has(byte)) {
            return Err(InvalidRule::FormAlphabet);
        }
        let most_bits = self.form.most_bits(max_bytes, |byte| alphabet.has(byte));
        let min_bits = self.min_entropy_bits;
        if f64::from(min_bits) > most_bits {
            return Err(InvalidRule::Entropy { min_bits });
        }
        Ok(())
    }

    /// What to send; the text follows the word "send".
    pub(super) fn wanted(&self) -> String {
        let mut wanted = match self.form.name() {
            Some(name) => name.to_owned(),
            None => {
                let random = ["a key", "a random key"][usize::from(self.min_entropy_bits > 0)];
                let (min, max) = (self.min_bytes.max(1), self.max_bytes);
                if min == max {
                    format!("{random} of {max} bytes")
                } else {
                    format!("{random} of {min} to {max} bytes")
                }
            }
        };
        if let Some(alphabet) = self.alphabet {
            wanted = format!("{wanted} out of the characters {}", alphabet.characters());
        }
        if self.min_entropy_bits > 0 {
            let bits = self.min_entropy_bits;
            wanted = format!("{wanted} with at least {bits} bits of entropy");
        }
        wanted
    }
}
