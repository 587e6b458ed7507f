//! The check of a size against its limit.

use crate::value::error::{Error, Result};

/// Refuses `what` if it has more than `most`, and says what to do instead.
pub(crate) fn check_size(what: &str, actual: usize, most: usize, remedy: &str) -> Result<()> {
    if actual > most {
        return Err(Error::too_large(what, actual, most, remedy));
    }
    Ok(())
}
