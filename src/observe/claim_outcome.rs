//! [`ClaimOutcome`]: how a claim ends.

use crate::value::key_state::KeyState;

/// How a claim ends: exactly one of these ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClaimOutcome {
    Granted,
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Mismatch,
    Repeat,
    Error,
    Abandoned,
}

impl ClaimOutcome {
    pub(crate) const ALL: [Self; 9] = [
        Self::Granted,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::InDoubt,
        Self::Mismatch,
        Self::Repeat,
        Self::Error,
        Self::Abandoned,
    ];

    /// Of an answer that is stored.
    pub(crate) fn of_settled(state: KeyState) -> Self {
        match state {
            KeyState::Failed => Self::Failed,
            KeyState::InDoubt => Self::InDoubt,
            _ => Self::Completed,
        }
    }

    /// Its name in metrics and traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Mismatch => "mismatch",
            Self::Repeat => "repeat",
            Self::Error => "error",
            Self::Abandoned => "abandoned",
        }
    }
}
