//! [`CanonicalJson`]: one spelling for every JSON body that means the same request.

use crate::value::canonical_json::number::NumberForm;
use crate::value::canonical_json::pass::Pass;
use crate::value::canonical_json::pick::Picks;
use crate::value::canonical_json::refusal::CanonicalJsonError;
use crate::value::error::Result;

/// One spelling for every JSON body that means the same request.
///
/// A fingerprint must be the same for `{"a":1,"b":2}` and `{ "b": 2.0, "a": 1 }`, and different for all
/// bodies that a reader can tell apart. The canonical form follows RFC 8785 (JCS), but for its numbers:
///
/// - no white space; the members of an object in the order of the UTF-16 code units of their
///   unescaped names; the elements of an array where they were;
/// - strings with the fewest escapes: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, and `\u00xx` for
///   the other control characters. Unicode normalisation is not applied, as in RFC 8785;
/// - numbers are *exact decimals*, where RFC 8785 rounds each of them to an f64: under it two
///   payments of 9007199254740992 and 9007199254740993 would be one request, and 1e400 would be no
///   number at all. A number is written as its digits without zeros at either end, then `e` and
///   the power of ten unless that is 0: `1.50` is `15e-1`, `1200` is `12e2`, and `1`, `1.0` and
///   `10e-1` are all `1`. Minus zero is `0`. [`strict_rfc8785`](Self::strict_rfc8785) changes that.
///
/// Refused, because readers do not agree on what it means or because it is no JSON at all: a second
/// member of the same name, a lone surrogate, bytes that are not UTF-8 (or start with a byte order
/// mark), a power of ten beyond an i64, nesting deeper than 128, and anything but white space after
/// the value. The whole body is checked, also where it does not count.
///
/// Fingerprints keep digests of this form. If you change the options, change the scheme of the fingerprints
/// too, or remembered requests become mismatches.
///
/// # Which members count
///
/// [`only`](Self::only) and [`without`](Self::without) take JSON pointers (RFC 6901): `""` is the whole body,
/// `/order/items/0` the first element of a member of a member, `~1` a `/` in a name and `~0` a `~`. Beyond
/// RFC 6901, `*` stands for every member and every element: `/items/*/price`. A member whose name is `*`
/// cannot be named alone. A number names both an element of an array and a member of that name; `-` names no
/// element.
///
/// A value counts if `only` was not called or points at it or at something around it, unless
/// `without` does. Of the rest nothing shows:
///
/// - A member that does not count is absent. One that a pointer names and a body lacks is absent too.
/// - An object or array that does not count itself is there if something in it counts. So under
///   `only(["/a/b"])` the bodies `{}`, `{"a":5}` and `{"a":{"c":1}}` all become `{}`. The outermost one
///   is always there; a body that is neither object nor array and does not count becomes `null`.
/// - An element that does not count becomes `null` if one that counts follows it, and is absent
///   otherwise. So those that count keep their index, and elements behind them may come and go.
///
/// # Cost
///
/// One pass over the body. Memory is proportional to the body: powers of ten are never expanded
/// into digits, and every stack is shared by all nested objects. An object whose members come out
/// of order is moved once more, so a byte is moved at most 128 times. Each member is held against
/// the pointers that lead to the object around it.
///
/// # Examples
///
/// ```
/// use hapax::CanonicalJson;
///
/// let form = CanonicalJson::new();
/// assert_eq!(form.canonicalize(br#"{ "b": 2.50, "a": [true] }"#)?, br#"{"a":[true],"b":25e-1}"#);
///
/// let payment = CanonicalJson::new().strict_rfc8785().without(["/sent_at", "/items/*/note"])?;
/// let body = br#"{"items": [{"price": 1e1, "note": "for al"}], "sent_at": "12:00"}"#;
/// assert_eq!(payment.canonicalize(body)?, br#"{"items":[{"price":10}]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CanonicalJson {
    numbers: NumberForm,
    picks: Picks,
}

impl CanonicalJson {
    /// The form of [`FingerprintBuilder::json`](crate::FingerprintBuilder::json): exact numbers, and
    /// everything counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes numbers by RFC 8785: through an f64, as ECMAScript does.
    ///
    /// `1e21` is `1e+21`, `100` and `1E2` are `100`, `0.0000001` is `1e-7`, minus zero is `0`. Integers
    /// beyond 2^53 blur, and a number beyond the largest f64 is refused. The form is then the one
    /// that other implementations of RFC 8785 write; pick the default if no other implementation has to agree.
    pub fn strict_rfc8785(mut self) -> Self {
        self.numbers = NumberForm::Rfc8785;
        self
    }

    /// Lets only these members and elements count, with everything in them. A second call adds to them.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for text that is not a JSON pointer, and without a pointer:
    /// then all bodies would be the same.
    pub fn only<P: AsRef<str>>(mut self, pointers: impl IntoIterator<Item = P>) -> Result<Self> {
        self.picks.only(pointers)?;
        Ok(self)
    }

    /// Leaves these members and elements out, also those that [`only`](Self::only) names. A second call adds
    /// to them.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for text that is not a JSON pointer.
    pub fn without<P: AsRef<str>>(mut self, pointers: impl IntoIterator<Item = P>) -> Result<Self> {
        self.picks.without(pointers)?;
        Ok(self)
    }

    /// The canonical form of a body. It is JSON again.
    ///
    /// # Errors
    /// The first place where `body` has no canonical form, and why.
    pub fn canonicalize(&self, body: &[u8]) -> Result<Vec<u8>, CanonicalJsonError> {
        let body = std::str::from_utf8(body).map_err(|error| CanonicalJsonError {
            offset: error.valid_up_to(),
            reason: "the bytes are not UTF-8",
        })?;
        Pass::new(body, self.numbers, &self.picks).run()
    }
}
