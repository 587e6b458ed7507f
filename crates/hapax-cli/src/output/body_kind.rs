//! What the body of a key is: a response, an error or a checkpoint.

use hapax::State;

/// What the body of a key in this state is called.
pub(crate) fn body_kind(state: State) -> &'static str {
    match state {
        State::Completed => "response",
        State::Failed => "error",
        _ => "checkpoint",
    }
}
