//! [`Command`]: what an operator orders.

use hapax::{FencingToken, Resolution};

use crate::request::outcome_form::OutcomeForm;

/// What to do to a key, or to the store.
#[derive(Debug)]
pub(crate) enum Command {
    Resolve {
        token: FencingToken,
        resolution: Resolution,
        form: OutcomeForm,
        force: bool,
    },
    Release {
        token: FencingToken,
    },
    Doubt {
        token: FencingToken,
    },
    Fail {
        token: FencingToken,
        error: Vec<u8>,
        form: OutcomeForm,
    },
    /// `force` is the token of a key that is in progress or in doubt.
    Forget {
        force: Option<FencingToken>,
    },
    AcceptSalvage,
}

impl Command {
    pub(crate) fn is_forced(&self) -> bool {
        matches!(
            self,
            Self::Resolve { force: true, .. } | Self::Forget { force: Some(_) }
        )
    }
}
