//! What the body of a key is, by its state.

use hapax::State;

/// What the body of a key in this state is.
pub(crate) fn body_kind(state: State) -> &'static str {
    match state {
        State::Completed => "response",
        State::Failed => "error",
        _ => "checkpoint",
    }
}
