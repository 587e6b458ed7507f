//! [`StoredValue`]: results that `run_once` can store, and the [`Codec`] that does it.

use crate::claim::answer::Completed;
use crate::value::error::{Error, ErrorKind, Result};

/// A result that can be stored and given back.
///
/// `Vec<u8>`, `String` and `()` implement it. [`Namespace::typed`](crate::Namespace) (feature `json`) stores
/// values as JSON; implement this trait for any other form.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Ran, Store, StoredValue};
///
/// #[derive(Debug, PartialEq)]
/// struct Cents(u64);
///
/// impl StoredValue for Cents {
///     fn to_bytes(&self) -> Vec<u8> {
///         self.0.to_be_bytes().to_vec()
///     }
///
///     fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
///         Ok(Self(u64::from_be_bytes(bytes.try_into()?)))
///     }
/// }
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let charge = || pay.run_once("order-42", |_| Ok::<_, std::io::Error>(Cents(1299)));
/// assert!(matches!(charge(), Ok(Ran::Executed(Cents(1299)))));
/// assert!(matches!(charge(), Ok(Ran::Replayed(Cents(1299)))));
/// # Ok::<(), hapax::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`run_once` cannot store a `{Self}`",
    label = "the work gives a `{Self}`",
    note = "a value that serialises is stored as JSON by `namespace.typed::<{Self}>().run_once(..)` (feature `json`)",
    note = "bytes, text and `()` are stored as they are: give a `Vec<u8>` or a `String`, or implement `hapax::StoredValue`"
)]
pub trait StoredValue: Sized {
    /// The bytes to store.
    fn to_bytes(&self) -> Vec<u8>;

    /// The value of stored bytes.
    ///
    /// # Errors
    /// Bytes that are no such value.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>>;
}

impl StoredValue for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(bytes.to_vec())
    }
}

impl StoredValue for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::from_utf8(bytes.to_vec())?)
    }
}

impl StoredValue for () {
    fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

/// How a result becomes bytes and is read again; typed values have their own.
pub(crate) struct Codec<T> {
    pub(crate) encode: fn(&T) -> Result<Vec<u8>>,
    pub(crate) decode: fn(&Completed) -> Result<T>,
}

impl<T: StoredValue> Codec<T> {
    pub(crate) fn of_stored_value() -> Self {
        Self {
            encode: |value| Ok(value.to_bytes()),
            decode: decode_response,
        }
    }
}

fn decode_response<T: StoredValue>(answer: &Completed) -> Result<T> {
    if answer.response_omitted() {
        let text = "the outcome was recorded without its bytes, which were over max_response or no JSON: \
                    there is no result to give back, and the work is not run again";
        return Err(Error::new(ErrorKind::Decode, text));
    }
    T::from_bytes(answer.response()).map_err(|error| {
        let text = format!("the stored response does not decode: {error}; it is in payload(), and the work is not run again");
        Error::new(ErrorKind::Decode, text).with_payload(answer.response().to_vec())
    })
}
