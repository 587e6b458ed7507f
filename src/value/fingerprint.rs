//! [`Fingerprint`]: digests of a request, which show that a key came with another request.

use std::fmt;

#[cfg(feature = "json")]
use crate::value::canonical_json::CanonicalJson;
use crate::value::digest::Hasher128;
use crate::value::error::{Error, Result};
use crate::value::size::check_size;

/// The most labelled parts of a fingerprint.
pub const FINGERPRINT_PARTS_MAX: usize = 16;

/// The most bytes of the label of a part.
pub const LABEL_BYTES_MAX: usize = 64;

/// Labelled 128-bit digests of the parts of a request, under a secret of the store.
///
/// The same key with another fingerprint is answered with a mismatch that names the labels that
/// differ. Digests are keyed, so a stored fingerprint does not give a small body away, and they
/// cannot be compared between stores.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let print = pay.fingerprint(1).part("body", "12.99 EUR").part("account", "acme").build()?;
/// assert_eq!(print.scheme(), 1);
/// assert_eq!(print.labels().collect::<Vec<_>>(), ["account", "body"]);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub(crate) scheme: u32,
    /// Invariant: sorted by label, no label twice.
    pub(crate) parts: Vec<Part>,
}

/// One labelled part of a fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) label: String,
    pub(crate) digest: u128,
}

impl Fingerprint {
    /// The scheme of the fingerprint.
    #[must_use]
    pub fn scheme(&self) -> u32 {
        self.scheme
    }

    /// The labels of its parts, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.label.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint")
            .field("scheme", &self.scheme)
            .field("labels", &self.labels().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Makes a [`Fingerprint`] part by part; `Namespace::fingerprint` starts one.
///
/// # Examples
///
/// ```
/// use hapax::{ClaimOptions, Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let request = |body: &str| {
///     pay.fingerprint(1).part("method", "POST").part("body", body).build()
/// };
/// let Claim::Granted(_lease) =
///     pay.claim_with("k", ClaimOptions::new().fingerprint(request("10 EUR")?))?
/// else { unreachable!() };
/// let Claim::Mismatch(other) =
///     pay.claim_with("k", ClaimOptions::new().fingerprint(request("99 EUR")?))?
/// else { unreachable!() };
/// assert_eq!(other.labels(), ["body"]);
/// # Ok::<(), hapax::Error>(())
/// ```
#[must_use]
#[derive(Debug)]
pub struct FingerprintBuilder {
    hasher: Hasher128,
    scheme: u32,
    parts: Vec<Part>,
    error: Option<Error>,
}

impl FingerprintBuilder {
    pub(crate) fn new(hasher: Hasher128, scheme: u32) -> Self {
        Self {
            hasher,
            scheme,
            parts: Vec::new(),
            error: None,
        }
    }

    /// Adds a part of any size under a label of 1 to 64 bytes; all bytes count.
    pub fn part(mut self, label: &str, bytes: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.check(label) {
            self.error.get_or_insert(error);
            return self;
        }
        let scheme = self.scheme.to_le_bytes();
        let label_len = u64::try_from(label.len()).unwrap_or(u64::MAX).to_le_bytes();
        let framed: [&[u8]; 4] = [&scheme, &label_len, label.as_bytes(), bytes.as_ref()];
        let digest = self.hasher.hash(&framed);
        self.parts.push(Part {
            label: label.to_owned(),
            digest,
        });
        self
    }

    /// Adds a JSON body. Member order, white space and escapes do not count; array order does. Numbers are
    /// compared exactly: `1.0` equals `1`, and integers above 2^53 stay distinct.
    ///
    /// A body that is not JSON, or has a member twice, makes [`build`](Self::build) fail.
    #[cfg(feature = "json")]
    pub fn json(self, label: &str, body: impl AsRef<[u8]>) -> Self {
        self.json_with(label, body, &CanonicalJson::new())
    }

    /// Adds a JSON body by the rules of `form`: which members count, and how numbers are written.
    ///
    /// A body that `form` refuses makes [`build`](Self::build) fail. Give requests another scheme when
    /// their form changes: else each of them is a mismatch with what is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{CanonicalJson, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let pay = store.namespace("pay", Policy::at_least_once())?;
    /// let form = CanonicalJson::new().without(["/sent_at"])?;
    /// let print = |body: &str| pay.fingerprint(1).json_with("body", body, &form).build();
    /// let first = print(r#"{"amount": 10, "sent_at": "12:00:00"}"#)?;
    /// assert_eq!(first, print(r#"{"sent_at": "12:00:07", "amount": 10}"#)?);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json_with(mut self, label: &str, body: impl AsRef<[u8]>, form: &CanonicalJson) -> Self {
        match form.canonicalize(body.as_ref()) {
            Ok(canonical) => self.part(label, canonical),
            Err(error) => {
                let text =
                    format!("part {label:?} is not a JSON body that can be compared: {error}");
                self.error.get_or_insert(Error::invalid(text));
                self
            }
        }
    }

    /// Finishes the fingerprint.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for no part, a label that is empty or there twice, or
    /// a body that is not JSON; [`TooLarge`](crate::ErrorKind::TooLarge) for more than 16 parts or
    /// a label of more than 64 bytes.
    pub fn build(self) -> Result<Fingerprint> {
        match self.error {
            Some(error) => Err(error),
            None if self.parts.is_empty() => Err(Error::invalid(
                "the fingerprint has no part: add at least one",
            )),
            None => {
                let mut parts = self.parts;
                parts.sort_by(|a, b| a.label.cmp(&b.label));
                Ok(Fingerprint {
                    scheme: self.scheme,
                    parts,
                })
            }
        }
    }

    fn check(&self, label: &str) -> Result<()> {
        let (parts, remedy) = (self.parts.len() + 1, "join some of them into one part");
        check_size(
            "the fingerprint (parts)",
            parts,
            FINGERPRINT_PARTS_MAX,
            remedy,
        )?;
        if label.is_empty() {
            return Err(Error::invalid(
                "a label of the fingerprint is empty: name the part",
            ));
        }
        let bytes = label.len();
        check_size(
            "a label of the fingerprint",
            bytes,
            LABEL_BYTES_MAX,
            "shorten it",
        )?;
        if self.parts.iter().any(|part| part.label == label) {
            return Err(Error::invalid(format!(
                "the fingerprint has the label {label:?} twice: name each part once"
            )));
        }
        Ok(())
    }
}
