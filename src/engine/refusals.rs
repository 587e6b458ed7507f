//! [`Refused`]: a refusal that waits for a frame; and the errors that several calls share.

use crate::engine::engine::Engine;
use crate::state::transition::Refusal;
use crate::value::error::{Error, ErrorKind};
use crate::value::key_info::KeyInfo;

/// A refusal, and the frame that has to be on the medium before the caller gets it: a power cut must not undo
/// an answer that was given. Only [`Engine::refuse`] takes the error out.
#[derive(Debug)]
pub(crate) struct Refused {
    error: Error,
    rests_on: Option<u64>,
}

impl Refused {
    pub(in crate::engine) fn resting_on(error: Error, rests_on: Option<u64>) -> Self {
        Self { error, rests_on }
    }

    /// The error, where it rests on nothing.
    pub(crate) fn at_once(self) -> Result<Error, Self> {
        match self.rests_on {
            None => Ok(self.error),
            Some(_) => Err(self),
        }
    }

    /// The kind of the error, which traces may show at once.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

/// A refusal that rests on nothing.
impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            rests_on: None,
        }
    }
}

impl Engine {
    /// Waits for the frame that a refusal rests on.
    pub(crate) async fn refuse(&self, refused: Refused) -> Error {
        match self.rest(refused.rests_on).await {
            Ok(()) => refused.error,
            Err(failed) => failed,
        }
    }
}

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
