//! [`TroubleView`]: a trouble of the store in an answer.

use hapax::{Health, Trouble};
use serde::Serialize;

/// A trouble: its code, and a text for people.
#[derive(Serialize)]
pub(crate) struct TroubleView {
    code: &'static str,
    detail: String,
}

impl TroubleView {
    /// All troubles, the worst first.
    pub(crate) fn all_of(health: &Health) -> Vec<Self> {
        let view = |trouble: &Trouble| Self {
            code: trouble.name(),
            detail: trouble.to_string(),
        };
        health.troubles().iter().map(view).collect()
    }
}
