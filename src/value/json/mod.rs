//! Values as JSON that comes back as it was: what [`Json`](crate::Json) stores and replays.
//! What comes in: values of callers, and the bytes that were stored of them.
//! It does not know where these bytes lie.
//!
//! `serde_json` does the work, without any feature that would change it for the rest of a build.
//! `faithful.rs` refuses what JSON can only write as something else, `exact.rs` reads floating-point
//! numbers to the last bit.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

mod exact;
mod faithful;

use crate::value::json::exact::{Exact, Text, Watched};
use crate::value::json::faithful::Faithful;

/// Written as JSON.
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// How often a `Some` was written as `null`, which reads as a `None` unless its type knows better.
    pub(crate) blurred: u64,
}

/// Writes a value.
///
/// # Errors
/// Those of its `Serialize`; a number that is not finite; a key that is no string.
pub(crate) fn write(value: &(impl Serialize + ?Sized)) -> Result<Written, serde_json::Error> {
    let mut bytes = Vec::with_capacity(128);
    let blurred = Cell::new(0);
    let to = &mut serde_json::Serializer::new(&mut bytes);
    value.serialize(Faithful::new(to, &blurred))?;
    Ok(Written {
        bytes,
        blurred: blurred.get(),
    })
}

/// Reads a value as [`serde_json::from_slice`] does, but with exact floating-point numbers.
///
/// # Errors
/// Those of [`serde_json::from_slice`].
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    // Several times as fast, and all that most values need.
    if !may_be_inexact(bytes) {
        return serde_json::from_slice(bytes);
    }
    let taken = Cell::new(0);
    let mut from = serde_json::Deserializer::from_reader(Watched::new(bytes, &taken));
    let value = T::deserialize(Exact::new(&mut from, Text::new(bytes, &taken)))?;
    from.end()?;
    Ok(value)
}

/// Whether there may be a number that `serde_json` makes an f64 of: one with a fraction or a power of ten, or
/// an integer that 64 bits may not hold. It may also be text that looks like one.
fn may_be_inexact(bytes: &[u8]) -> bool {
    const DIGITS_THAT_FIT: u32 = 18;
    let mut digits = 0;
    for byte in bytes {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' if digits > 0 => return true,
            _ => digits = 0,
        }
        if digits > DIGITS_THAT_FIT {
            return true;
        }
    }
    false
}
