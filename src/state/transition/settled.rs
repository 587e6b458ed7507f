//! What a record says its key is.

use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::record::RecordKind;

/// What a record says its key is, once it is not running any more.
pub(crate) fn settled_state(kind: RecordKind, guarantee: Guarantee) -> Option<KeyState> {
    Some(match (kind, guarantee) {
        (RecordKind::Completed, _) => KeyState::Completed,
        (RecordKind::Failed, _) => KeyState::Failed,
        (RecordKind::InDoubt, _) | (RecordKind::InProgress, Guarantee::AtMostOnce) => {
            KeyState::InDoubt
        }
        (RecordKind::Released, _) | (RecordKind::InProgress, Guarantee::AtLeastOnce) => {
            KeyState::Released
        }
        (RecordKind::Forgotten, _) => return None,
    })
}
