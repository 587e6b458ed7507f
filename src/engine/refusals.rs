//! Errors that more than one call answers.

use crate::state::transition::Refusal;
use crate::value::error::{Error, ErrorKind};
use crate::value::key_info::KeyInfo;

pub(crate) fn not_held() -> Error {
    Error::new(
        ErrorKind::NotHeld,
        "the key of this token is not there any more: stop the work",
    )
}

pub(crate) fn refused(refusal: Refusal, current: Option<KeyInfo>) -> Error {
    let state = current
        .as_ref()
        .map(|info| {
            format!(
                " (the key is {} under token {})",
                info.state(),
                info.token()
            )
        })
        .unwrap_or_default();
    let (kind, text) = match refusal {
        Refusal::Superseded => (
            ErrorKind::Superseded,
            format!("this token is not current any more: stop the work{state}"),
        ),
        Refusal::NotHeld => return not_held(),
        Refusal::AlreadySettled => (
            ErrorKind::AlreadySettled,
            format!("the key was settled differently under this token{state}"),
        ),
        Refusal::InDoubt => {
            let text = format!(
                "the lease lapsed under at-most-once, so the key is in doubt: only complete, fail or a resolution settles it{state}"
            );
            (ErrorKind::InUse, text)
        }
    };
    let error = Error::new(kind, text);
    match current {
        Some(current) => error.with_current(current),
        None => error,
    }
}

pub(in crate::engine) fn at_capacity(text: String) -> Error {
    Error::new(ErrorKind::AtCapacity, text)
}
