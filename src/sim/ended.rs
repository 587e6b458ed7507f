//! [`Ended`]: how the life of a process has ended.

/// How the previous life ended.
///
/// # Examples
///
/// ```
/// use hapax::Policy;
/// use hapax::sim::{Ended, Simulation};
///
/// Simulation::new(7)
///     .steps(200)
///     .at_open(|store, ended| {
///         let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
///         assert!(!matches!(ended, Ended::Never) || !mail.contains("user-7").unwrap());
///     })
///     .run(|actor| async move {
///         let mail = actor.store().namespace("mail", Policy::at_least_once())?;
///         mail.insert_async("user-7").await.map(drop)
///     });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// Nothing was opened before: the medium was empty.
    Never,
    /// The store was closed, and said that everything is durable.
    Closed,
    /// The process was killed, or its store ended without a clean close.
    Killed,
    /// The power was cut.
    PowerCut,
}
