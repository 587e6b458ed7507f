//! [`Trouble`]: why a verb could not do its work, its exit code, and what to do next.

use std::fmt::Display;
use std::io;

use hapax::ErrorKind;

use crate::notation::escaped;

/// Why a verb could not do its work.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The library said so.
    Store(hapax::Error),
    /// The command line, or a file that it names, makes no sense.
    Usage(String),
    /// What was asked for does not fit what the store holds.
    Refused(String),
    /// Something outside the store cannot be read or written.
    Io(String, io::Error),
}

/// The result of a verb, or of a part of it.
pub(crate) type Result<T, E = Trouble> = std::result::Result<T, E>;

impl From<hapax::Error> for Trouble {
    fn from(error: hapax::Error) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// A line of a file that makes no sense.
    pub(crate) fn in_line(number: u64, text: impl Display) -> Self {
        Self::usage(format!("line {number}: {text}"))
    }

    /// What went wrong with a file, in words such as "reading keys.jsonl".
    pub(crate) fn file(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::Io(doing, error)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Io(..) => 3,
            Self::Refused(_) => 6,
            Self::Store(error) => match error.kind() {
                ErrorKind::Invalid | ErrorKind::NoNamespace => 2,
                ErrorKind::Locked => 4,
                ErrorKind::NotAStore
                | ErrorKind::Unsupported
                | ErrorKind::Damaged
                | ErrorKind::ClockJump
                | ErrorKind::LogConflict
                | ErrorKind::Poisoned
                | ErrorKind::Closed
                | ErrorKind::Forked
                | ErrorKind::Io => 3,
                _ => 6,
            },
        }
    }

    /// What kind it is, in one word.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Store(error) => snake(&format!("{:?}", error.kind())),
            Self::Usage(_) => "usage".to_owned(),
            Self::Refused(_) => "refused".to_owned(),
            Self::Io(..) => "io".to_owned(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let text = match self {
            Self::Store(error) => error.to_string(),
            Self::Usage(text) | Self::Refused(text) => text.clone(),
            Self::Io(doing, error) => format!("{doing}: {error}"),
        };
        escaped::line(&text)
    }

    /// What an operator does next, where the text of the library is made for programs.
    pub(crate) fn next(&self) -> Option<&'static str> {
        let Self::Store(error) = self else {
            return None;
        };
        next_after(error.kind())
    }
}

/// What an operator does next.
pub(crate) fn next_after(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Locked => {
            "ask the process that is named through its admin routes (hapax-admin), or stop that one and \
             run this again, or wait for it with --wait-for-lock; `hapax info` and `hapax stat` work beside it"
        }
        ErrorKind::Damaged => {
            "with a backup: `hapax restore BACKUP NEW`; without one: `hapax salvage STORE NEW`, \
             which says what it could not save; neither changes this store"
        }
        ErrorKind::ClockJump => {
            "look at the clock of this machine (`date`); if it is right, add --accept-clock-jump"
        }
        ErrorKind::NotAStore => {
            "a store is a directory with a file MANIFEST; `hapax restore BACKUP NEW` makes one of a \
             backup; what is copied goes into a new directory"
        }
        ErrorKind::Unsupported => {
            "use the `hapax` of the version that wrote the store, or a newer one"
        }
        ErrorKind::Superseded | ErrorKind::NotHeld => {
            "the key has moved on: look at it with `hapax get`, and decide again with the token it has now"
        }
        ErrorKind::Salvaged => {
            "settle outside what was under way when the store was damaged, then `hapax accept-salvage STORE`"
        }
        ErrorKind::AtCapacity => "make room on the disk, or raise the limit, and run this again",
        _ => return None,
    })
}

/// `InDoubt` as `in_doubt`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
