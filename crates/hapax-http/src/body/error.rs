//! [`BoxError`]: what goes wrong in a body, and what caused it.

/// What goes wrong in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error, and what it was caused by.
pub(crate) fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
