//! The name of a state in answers, queries and labels of metrics.

use hapax::State;

/// Every state that has a name.
pub(crate) const STATES: [State; 5] = [
    State::InProgress,
    State::Completed,
    State::Failed,
    State::InDoubt,
    State::Released,
];

/// The name of a state.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::InProgress => "in_progress",
        State::Completed => "completed",
        State::Failed => "failed",
        State::InDoubt => "in_doubt",
        State::Released => "released",
        _ => "unknown",
    }
}

/// The state with this name.
pub(crate) fn state_of(name: &str) -> Option<State> {
    STATES.into_iter().find(|state| state_name(*state) == name)
}
