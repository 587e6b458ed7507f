//! What the body of a key is: a response, an error or a checkpoint.

use hapax::KeyState;

/// What the body of a key in this state is called.
pub(crate) fn body_kind(state: KeyState) -> &'static str {
    match state {
        KeyState::Completed => "response",
        KeyState::Failed => "error",
        _ => "checkpoint",
    }
}
