//! [`Origin`]: the side that caused a transition.

/// The side that caused a transition.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::audit::{AuditFilter, Origin};
///
/// # let store = Store::in_memory().open()?;
/// for entry in store.audit(AuditFilter::new().origin(Origin::Operator))? {
///     let entry = entry?;
///     println!("{} by {}: {}", entry.transition(), entry.actor(), entry.reason());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A caller of the store: the claimer or holder of the key, or another.
    Caller,
    /// The store itself.
    Engine,
    /// An operator, under a name and a reason.
    Operator,
}

impl Origin {
    /// Its name in exports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Engine => "engine",
            Self::Operator => "operator",
        }
    }
}
