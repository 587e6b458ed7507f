//! [`ToStored`]: what a holder can give its key as an outcome.

use std::borrow::Cow;
use std::error::Error as StdError;

use crate::value::error::{Error, ErrorKind, Result};

/// What can be stored as a response or a final error: bytes, text, or a value as `Json` (feature `json`).
///
/// # Examples
///
/// ```
/// use std::borrow::Cow;
/// use std::error::Error;
///
/// use hapax::{Claim, Policy, Store, ToStored};
///
/// struct Cents(u64);
///
/// impl ToStored for Cents {
///     fn to_stored(&self) -> Result<Cow<'_, [u8]>, Box<dyn Error + Send + Sync>> {
///         Ok(self.0.to_be_bytes().to_vec().into())
///     }
/// }
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let Claim::Granted(lease) = pay.claim("order-42")? else { panic!("it is new") };
/// lease.complete(Cents(1299))?;
/// let Claim::Granted(lease) = pay.claim("order-43")? else { panic!("it is new") };
/// lease.fail("card declined")?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a lease cannot store a `{Self}`",
    label = "this is a `{Self}`",
    note = "a value of a type that is `serde::Serialize` is stored as JSON: `lease.complete(hapax::Json(&value))` (feature `json`)",
    note = "bytes and text are stored as they are; for any other form, implement `hapax::ToStored`"
)]
pub trait ToStored {
    /// The bytes to store.
    ///
    /// # Errors
    /// Why this value has none.
    fn to_stored(&self) -> Result<Cow<'_, [u8]>, Box<dyn StdError + Send + Sync>>;
}

impl<B: AsRef<[u8]> + ?Sized> ToStored for B {
    fn to_stored(&self) -> Result<Cow<'_, [u8]>, Box<dyn StdError + Send + Sync>> {
        Ok(Cow::Borrowed(self.as_ref()))
    }
}

/// A value that has no bytes to store; `then` says what becomes of its key.
pub(crate) fn unstorable(cause: Box<dyn StdError + Send + Sync>, then: &str) -> Error {
    let text = format!("the value cannot be stored: {cause}; {then}");
    Error::new(ErrorKind::Invalid, text).with_source(cause)
}
