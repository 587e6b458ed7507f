//! [`Refused`]: a refusal that waits for a frame; and the errors that several calls share.

use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::state::transition::Refusal;
use crate::value::error::{Error, ErrorKind};
use crate::value::key_info::KeyInfo;
use crate::value::locator::Locator;

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

    /// The error of a refusal that came from no log of this process, so rests on nothing.
    pub(crate) fn untold(self) -> Error {
        debug_assert!(self.rests_on.is_none(), "a frame is waited for first");
        self.error
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
    /// A refusal that rests on the record of a key at this place.
    pub(in crate::engine) fn refused_by(
        &self,
        named: Named<'_>,
        at: Locator,
        error: Error,
    ) -> Refused {
        Refused::resting_on(error, self.rests_on(named.namespace, at))
    }

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
        "the key of this token no longer exists: stop the work",
    )
}

pub(crate) fn refused(refusal: Refusal, current: Option<KeyInfo>) -> Error {
    let (kind, text) = match refusal {
        Refusal::NotHeld => return not_held(),
        Refusal::Superseded => (
            ErrorKind::Superseded,
            "this token is no longer current: stop the work",
        ),
        Refusal::AlreadySettled => (
            ErrorKind::AlreadySettled,
            "the key was settled with another outcome under this token: keep that one, which current() has",
        ),
        Refusal::InDoubt => (
            ErrorKind::InUse,
            "the lease lapsed under at-most-once, so the key is in doubt: only complete, fail or a resolution settles it",
        ),
    };
    match current {
        Some(info) => {
            let (state, token) = (info.state(), info.token());
            let text = format!("{text} (the key is {state} under token {token})");
            Error::new(kind, text).with_current(info)
        }
        None => Error::new(kind, text),
    }
}

pub(in crate::engine) fn at_capacity(text: String) -> Error {
    Error::new(ErrorKind::AtCapacity, text)
}
