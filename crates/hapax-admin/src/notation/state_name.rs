//! The name of a state in answers, queries and labels of metrics.

use hapax::KeyState;

/// Every state that has a name.
pub(crate) const STATES: [KeyState; 5] = [
    KeyState::InProgress,
    KeyState::Completed,
    KeyState::Failed,
    KeyState::InDoubt,
    KeyState::Released,
];

/// The name of a state.
pub(crate) fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::InProgress => "in_progress",
        KeyState::Completed => "completed",
        KeyState::Failed => "failed",
        KeyState::InDoubt => "in_doubt",
        KeyState::Released => "released",
        _ => "unknown",
    }
}

/// The state with this name.
pub(crate) fn state_of(name: &str) -> Option<KeyState> {
    STATES.into_iter().find(|state| state_name(*state) == name)
}
