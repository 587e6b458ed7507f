//! [`KeyRule`]: a service builds it, and keys are checked by it.

use std::borrow::Cow;
use std::fmt;

use crate::value::key_rule::alphabet::Alphabet;
use crate::value::key_rule::choice::Choice;
use crate::value::key_rule::form::KeyForm;
use crate::value::key_rule::refused::{InvalidRule, KeyFault, KeyRefused};

/// The form that a key must have, for keys that clients choose: check them before they are claimed.
///
/// A stranger who guesses a key can read the answer that is stored under it, so a service should publish a form for
/// its keys and refuse all others.
///
/// | rule | keys | spelling |
/// | --- | --- | --- |
/// | [`any`](Self::any), the default | 1 to 1024 printable ASCII characters | each spelling is another key |
/// | [`uuid`](Self::uuid), [`uuid_v4`](Self::uuid_v4), [`uuid_v7`](Self::uuid_v7) | RFC 9562, hyphenated, either case | the case makes no difference |
/// | [`ulid`](Self::ulid) | 26 characters of Crockford's base 32, either case | the case makes no difference |
///
/// [`canonical`](Self::canonical) gives the spelling for the look-up: a UUID in lower case, a ULID in upper case, any
/// other key as it was sent.
///
/// Builder calls take any value. [`validate`](Self::validate) refuses values that contradict each other; call it once
/// before you use the rule. A call that narrows, such as [`min_bytes`](Self::min_bytes), applies to every choice that
/// the rule has so far, so narrow first, then join with [`or`](Self::or).
///
/// # Examples
///
/// ```
/// use hapax::key::KeyRule;
/// use hapax::{Policy, Store};
///
/// let rule = KeyRule::uuid().or(KeyRule::any().min_bytes(20).min_entropy_bits(60));
/// rule.validate()?;
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let sent = "8E03978E-40D5-43E8-BC93-6894A57F9324";
/// rule.check(sent)?;
/// assert!(pay.insert(&*rule.canonical(sent))?);
/// assert!(pay.contains("8e03978e-40d5-43e8-bc93-6894a57f9324")?);
///
/// let refused = rule.check("1234").expect_err("too short, and easy to guess");
/// assert_eq!(
///     refused.to_string(),
///     "the key has 4 bytes, fewer than 20; send a UUID of version 4 or 7, with its hyphens, \
///      or a random key of 20 to 1024 bytes with at least 60 bits of entropy"
/// );
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRule {
    /// Never empty. A key must meet one of them.
    pub(super) choices: Vec<Choice>,
}

impl Default for KeyRule {
    fn default() -> Self {
        Self::any()
    }
}

impl KeyRule {
    fn of(form: KeyForm) -> Self {
        Self {
            choices: vec![Choice::of(form)],
        }
    }

    fn each(mut self, set: impl Fn(&mut Choice)) -> Self {
        self.choices.iter_mut().for_each(set);
        self
    }

    /// Every key of 1 to 1024 printable ASCII characters; each spelling is another key. The default.
    #[must_use]
    pub fn any() -> Self {
        Self::of(KeyForm::Any)
    }

    /// A UUID of version 4 or 7 (RFC 9562) with its hyphens, in upper or lower case.
    #[must_use]
    pub fn uuid() -> Self {
        Self::of(KeyForm::Uuid(b"47"))
    }

    /// A UUID of version 4: 122 random bits.
    #[must_use]
    pub fn uuid_v4() -> Self {
        Self::of(KeyForm::Uuid(b"4"))
    }

    /// A UUID of version 7: a time, and 74 bits that most generators draw at random.
    #[must_use]
    pub fn uuid_v7() -> Self {
        Self::of(KeyForm::Uuid(b"7"))
    }

    /// A ULID: 26 characters of Crockford's base 32, in upper or lower case, the first at most `7`.
    /// I, L, O and U are refused, even as other spellings of 1 and 0.
    #[must_use]
    pub fn ulid() -> Self {
        Self::of(KeyForm::Ulid)
    }

    /// The minimum length of a key, in bytes. Default: 1.
    #[must_use]
    pub fn min_bytes(self, bytes: usize) -> Self {
        self.each(|choice| choice.min_bytes = bytes)
    }

    /// The maximum length of a key, in bytes, up to 1024. Default: 1024.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.each(|choice| choice.max_bytes = bytes)
    }

    /// Lowers the maximum length of a key to this, where it is greater.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        self.each(|choice| choice.max_bytes = choice.max_bytes.min(bytes))
    }

    /// The characters that a key may have, in the spelling that was sent. Default: all printable ASCII.
    #[must_use]
    pub fn alphabet(self, characters: &str) -> Self {
        let alphabet = Alphabet::new(characters);
        self.each(|choice| choice.alphabet = Some(alphabet))
    }

    /// The minimum entropy of a key, by an estimate. Default: 0.
    ///
    /// The estimate is the Shannon entropy of the key's own characters times its length: `aaaaaaaa`
    /// has 0 bits, `1234` has 8, and n characters have at most n log2(n), or n log2(k) from an
    /// alphabet of k. In a UUID and a ULID, only the random digits count, for at most 122 bits (version 4), 74
    /// (version 7) and 80 (ULID), and their case does not count.
    ///
    /// The estimate catches keys that were not drawn at random, but does not prove that a key was. It sees neither
    /// order nor words (`abcdefgh` has 24 bits). It judges by a single key, so it gives a random key less than it has:
    /// for 100,000 random keys each, it gave 84 to 122 bits (version 4), 44 to 74 (version 7) and 40 to 64 (ULID). Ask
    /// for well under half of what a good key has.
    #[must_use]
    pub fn min_entropy_bits(self, bits: u32) -> Self {
        self.each(|choice| choice.min_entropy_bits = bits)
    }

    /// Also accepts keys that meet the other rule.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.choices.extend(other.choices);
        self
    }

    /// Checks that the settings do not contradict each other: each choice accepts some key.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`], with the settings that contradict each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::key::{InvalidRule, KeyRule};
    ///
    /// let refused = KeyRule::uuid().max_bytes(32).validate();
    /// assert!(matches!(refused, Err(InvalidRule::FormBytes { .. })));
    /// ```
    pub fn validate(&self) -> Result<(), InvalidRule> {
        self.choices.iter().try_for_each(Choice::validate)
    }

    /// Checks a key. A rule that fails [`validate`](Self::validate) may refuse every key.
    ///
    /// # Errors
    ///
    /// [`KeyRefused`], which says what to send and never quotes the key.
    pub fn check(&self, key: impl AsRef<str>) -> Result<(), KeyRefused> {
        let key = key.as_ref();
        let mut closest: Option<KeyFault> = None;
        for choice in &self.choices {
            let Err(fault) = choice.check(key) else {
                return Ok(());
            };
            if closest.is_none_or(|before| before.closeness() < fault.closeness()) {
                closest = Some(fault);
            }
        }
        let wanted: Vec<String> = self.choices.iter().map(Choice::wanted).collect();
        Err(KeyRefused::new(
            closest.unwrap_or(KeyFault::Form),
            wanted.join(", or "),
        ))
    }

    /// The spelling for the look-up, so that one UUID or ULID is one key.
    ///
    /// A UUID of a version that the rule names is in lower case, a ULID is in upper case if the rule
    /// has [`ulid`](Self::ulid), and any other key is as it was sent. A rule that has another form besides
    /// [`any`](Self::any) applies that form first, whatever the order. Applying it twice changes nothing.
    #[must_use]
    pub fn canonical<'k>(&self, key: &'k (impl AsRef<str> + ?Sized)) -> Cow<'k, str> {
        let key = key.as_ref();
        self.choices
            .iter()
            .find(|choice| choice.form != KeyForm::Any && choice.form.fits(key))
            .map_or(Cow::Borrowed(key), |choice| choice.form.canonical(key))
    }
}

impl fmt::Display for KeyRule {
    /// The keys that the rule accepts, for documentation that a service publishes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted: Vec<String> = self.choices.iter().map(Choice::wanted).collect();
        f.write_str(&wanted.join(", or "))
    }
}
