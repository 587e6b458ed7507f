//! [`Json`]: a value that is stored as JSON and comes back as it was.

use std::borrow::Cow;
use std::error::Error as StdError;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claim::stored_value::StoredValue;
use crate::claim::to_stored::ToStored;
use crate::value::json::{Written, read, write};

/// A value of any type that serde can write and read, stored as JSON; `Json(&value)` is stored alike.
///
/// It is a result of [`run_once`](crate::Namespace::run_once), and what [`Lease::complete`](crate::Lease::complete)
/// and [`fail`](crate::Lease::fail) take. A stored answer is read by [`Completed::json`](crate::Completed::json),
/// [`Failed::json`](crate::Failed::json) and [`KeyInfo::json`](crate::KeyInfo::json).
///
/// What is replayed is what was stored, floating-point numbers to the last bit. What JSON cannot
/// tell is refused with [`Invalid`](crate::ErrorKind::Invalid) before anything is stored: a NaN or an
/// infinity, which it writes as `null`, and a `Some` whose content is `null`, which reads as `None`.
/// Only `run_once` looks whether `T` reads it back as a `Some`; a lease can be given the bytes that
/// [`to_bytes`](StoredValue::to_bytes) makes. What the type itself leaves out or reads as another value,
/// a skipped field or the wrong variant of an untagged enum, is its own affair.
///
/// A stored response that does not decode as a `T`, after a deploy that changed the type say, is
/// an error of kind [`Decode`](crate::ErrorKind::Decode) with the bytes in
/// [`Error::payload`](crate::Error::payload). It never makes the key run again. So `T` has to decode from
/// whatever it has ever serialised to. As `serde_json` does, a reader gives up on more than 127 arrays and
/// objects inside one another.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Json, Policy, Ran, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Receipt {
///     charge: String,
///     cents: u64,
/// }
///
/// let store = Store::in_memory().open()?;
/// let pay = store.namespace("pay", Policy::at_least_once())?;
/// let charge = || Receipt { charge: "ch_1".to_owned(), cents: 1299 };
/// let pay_once = || pay.run_once("order-42", |_| Ok::<_, std::io::Error>(Json(charge())));
/// assert!(matches!(pay_once(), Ok(Ran::Executed(_))));
/// assert!(matches!(pay_once(), Ok(Ran::Replayed(Json(receipt))) if receipt == charge()));
///
/// if let Claim::Granted(lease) = pay.claim("order-43")? {
///     lease.complete(Json(&charge()))?;
/// }
/// match pay.claim("order-43")? {
///     Claim::Completed(answer) => assert_eq!(answer.json::<Receipt>()?.cents, 1299),
///     other => panic!("it was completed: {other:?}"),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[expect(
    clippy::exhaustive_structs,
    reason = "it is the value and nothing else"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Json<T>(pub T);

const BLURRED: &str = "it has a Some whose content is null, which JSON gives back as None";

impl<T: Serialize + DeserializeOwned> StoredValue for Json<T> {
    fn to_bytes(&self) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let written = write(&self.0)?;
        if written.blurred > 0 && reads_as_another::<T>(&written) {
            return Err(BLURRED.into());
        }
        Ok(written.bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Ok(Self(read(bytes)?))
    }
}

impl<T: Serialize> ToStored for Json<T> {
    fn to_stored(&self) -> Result<Cow<'_, [u8]>, Box<dyn StdError + Send + Sync>> {
        let written = write(&self.0)?;
        if written.blurred > 0 {
            return Err(BLURRED.into());
        }
        Ok(Cow::Owned(written.bytes))
    }
}

/// Some types tell a `Some` of nothing from a `None` as they read; then as many are written again.
fn reads_as_another<T: Serialize + DeserializeOwned>(written: &Written) -> bool {
    let again = read::<T>(&written.bytes).and_then(|value| write(&value));
    again.is_ok_and(|again| again.blurred != written.blurred)
}
