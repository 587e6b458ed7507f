//! [`Attribution`]: the name and the reason of an operator's action.

use crate::value::error::{Error, Result};
use crate::value::size::check_size;

/// The most bytes of the actor and of the reason of an [`Attribution`], and of the actor of a claim.
pub const ACTOR_BYTES_MAX: usize = 256;

/// The actor of what the engine does by itself. No other actor can have this name.
pub(crate) const ENGINE: &str = "hapax";

/// The name and the reason of an operator's action.
///
/// # Examples
///
/// ```
/// use hapax::operator::Attribution;
///
/// let by = Attribution::new("alice", "INC-42: the provider confirmed")?;
/// assert_eq!(by.actor(), "alice");
/// assert!(Attribution::new("", "because").is_err());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribution {
    actor: String,
    reason: String,
}

impl Attribution {
    /// Names the actor and the reason. Each has at most 256 bytes, without control characters and characters
    /// that end a line or turn its direction. The actor is not empty.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn new(actor: impl Into<String>, reason: impl Into<String>) -> Result<Self> {
        let (actor, reason) = (actor.into(), reason.into());
        if actor.is_empty() {
            return Err(Error::invalid(
                "the actor is empty: say who does this, a person or a tool",
            ));
        }
        check_actor(&actor)?;
        check_text("the reason", &reason)?;
        Ok(Self { actor, reason })
    }

    /// The name of the actor.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The reason of the action.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Both in one line, for a record that has room for one text.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.actor, self.reason)
    }
}

/// Refuses what cannot name an actor.
pub(crate) fn check_actor(actor: &str) -> Result<()> {
    if actor == ENGINE {
        return Err(Error::invalid(format!(
            "the actor is {ENGINE:?}, which is what the store calls itself: take another name"
        )));
    }
    check_text("the actor", actor)
}

/// Refuses a text that would not fit one line of a log.
fn check_text(what: &str, text: &str) -> Result<()> {
    let remedy = "shorten it, and refer to a ticket";
    check_size(what, text.len(), ACTOR_BYTES_MAX, remedy)?;
    if text.chars().any(breaks_the_line) {
        return Err(Error::invalid(format!(
            "{what} holds control characters: keep it to one line of text"
        )));
    }
    Ok(())
}

/// Controls, and what ends a line or turns the direction of its text around.
fn breaks_the_line(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}
