//! What operators do to keys: resolve, release, forget, insert, reconcile.
//! What comes in: a key, an attribution, an outcome that was found out elsewhere.
//! It knows no holder's lease.

pub(crate) mod interventions;
pub(crate) mod reconcile;

pub use self::interventions::Operator;
pub use self::reconcile::{Reconciled, Reconciler};
pub use crate::value::attribution::Attribution;
pub use crate::value::insertion::Insertion;
