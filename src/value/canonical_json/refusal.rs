//! [`CanonicalJsonError`]: where and why a body has no canonical form.

use std::error::Error as StdError;
use std::fmt;

/// Where and why a JSON body has no canonical form; the text never quotes the body.
///
/// # Examples
///
/// ```
/// use hapax::CanonicalJson;
///
/// let error = CanonicalJson::new().canonicalize(br#"{"a":1,"a":2}"#).unwrap_err();
/// assert_eq!(error.offset(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalJsonError {
    pub(super) offset: usize,
    pub(super) reason: &'static str,
}

impl CanonicalJsonError {
    /// The byte of the body at which it is refused, from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether some readers accept the body as JSON: it has a member twice, a lone surrogate, a number out of
    /// range, or is nested too deeply. No reader accepts a body that is refused for anything else.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::CanonicalJson;
    ///
    /// let refused = |body: &str| CanonicalJson::new().canonicalize(body.as_bytes()).unwrap_err();
    /// assert!(refused(r#"{"a":1,"a":2}"#).is_ambiguous());
    /// assert!(!refused("{not json").is_ambiguous());
    /// ```
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        AMBIGUOUS.contains(&self.reason)
    }
}

/// Reasons that refuse what follows the grammar.
const AMBIGUOUS: [&str; 5] = [
    SECOND_MEMBER,
    LONE_SURROGATE,
    OUT_OF_RANGE,
    BEYOND_F64,
    TOO_DEEP,
];

pub(super) const SECOND_MEMBER: &str = "the object has a member of this name already";

pub(super) const LONE_SURROGATE: &str = "a surrogate is not one of a pair";

pub(super) const OUT_OF_RANGE: &str = "the power of ten of a number is out of range";

pub(super) const BEYOND_F64: &str = "a number is larger than any f64";

pub(super) const TOO_DEEP: &str = "arrays and objects are nested more than 128 deep";

impl fmt::Display for CanonicalJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the JSON body is refused at byte {}: {}",
            self.offset, self.reason
        )
    }
}

impl StdError for CanonicalJsonError {}
