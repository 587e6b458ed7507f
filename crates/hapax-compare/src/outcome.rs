//! The result of a measurement, or of a part of it.

use std::error::Error;

/// Why a measurement could not be taken.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A result of a measurement, or of a part of it.
pub type Outcome<T> = Result<T, Failure>;
