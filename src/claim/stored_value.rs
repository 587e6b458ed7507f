//! [`StoredValue`]: results that `run_once` can store.

use std::error::Error;

/// A result that can be stored and given back.
///
/// `Vec<u8>`, `String` and `()` implement it, and `Json` (feature `json`) does for any value that serde can
/// write and read; implement this trait for any other form.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// use hapax::{Policy, Ran, Store, StoredValue};
///
/// #[derive(Debug, PartialEq)]
/// struct Cents(u64);
///
/// impl StoredValue for Cents {
///     fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
///         Ok(self.0.to_be_bytes().to_vec())
///     }
///
///     fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
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
    note = "a value of a type that is `serde::Serialize` and `serde::Deserialize` is stored as JSON: end the work in `Ok(hapax::Json(value))` (feature `json`)",
    note = "bytes, text and `()` are stored as they are: give a `Vec<u8>` or a `String`, or implement `hapax::StoredValue`"
)]
pub trait StoredValue: Sized {
    /// The bytes to store.
    ///
    /// # Errors
    /// Why this value has none. The work has run then, so its key is recorded as completed without a result.
    fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

    /// The value of stored bytes.
    ///
    /// # Errors
    /// Bytes that are no such value.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>>;
}

impl StoredValue for Vec<u8> {
    fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.clone())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(bytes.to_vec())
    }
}

impl StoredValue for String {
    fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.clone().into_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self::from_utf8(bytes.to_vec())?)
    }
}

impl StoredValue for () {
    fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }

    fn from_bytes(_: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}
