//! The rule of size: so much and no more.

use crate::value::error::{Error, Result};

/// Refuses `what` where it has more than `most`, and says what to do instead.
pub(crate) fn check_size(what: &str, actual: usize, most: usize, remedy: &str) -> Result<()> {
    if actual > most {
        return Err(Error::too_large(what, actual, most, remedy));
    }
    Ok(())
}
