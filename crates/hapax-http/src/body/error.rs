//! [`BoxError`]: an error in a body.

/// An error in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The error and its causes, outermost first.
pub(crate) fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
