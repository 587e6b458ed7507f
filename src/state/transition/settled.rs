//! What a record says its key is.

use crate::value::guarantee::Guarantee;
use crate::value::key_state::State;
use crate::value::record::RecordKind;

/// What a record says its key is, once nobody runs it any more.
pub(crate) fn settled_state(kind: RecordKind, guarantee: Guarantee) -> Option<State> {
    Some(match (kind, guarantee) {
        (RecordKind::Completed, _) => State::Completed,
        (RecordKind::Failed, _) => State::Failed,
        (RecordKind::InDoubt, _) | (RecordKind::InProgress, Guarantee::AtMostOnce) => {
            State::InDoubt
        }
        (RecordKind::Released, _) | (RecordKind::InProgress, Guarantee::AtLeastOnce) => {
            State::Released
        }
        (RecordKind::Forgotten, _) => return None,
    })
}
