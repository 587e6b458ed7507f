//! [`Trouble`]: why a verb could not do its work, its exit code, and what to do next.

use std::fmt::Display;
use std::io;

use hapax::ErrorKind;

use crate::notation::escaped;

/// Why a verb could not do its work.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The library returned an error.
    Store(hapax::Error),
    /// The command line, or a file that it names, is invalid.
    Usage(String),
    /// The request does not fit the contents of the store.
    Refused(String),
    /// A file outside the store cannot be read or written.
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

    /// An invalid line of a file.
    pub(crate) fn in_line(number: u64, text: impl Display) -> Self {
        Self::usage(format!("line {number}: {text}"))
    }

    /// An I/O error, with what was done, in words such as "reading keys.jsonl".
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

    /// The kind of trouble, in one word.
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

    /// What an operator does next, if the text of the library is for programs.
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
            "ask that process through its admin routes (hapax-admin), stop it and run this again, or wait for it \
             with --wait-for-lock; `hapax info` and `hapax stat` work while it holds the store"
        }
        ErrorKind::Damaged => {
            "restore a backup with `hapax restore BACKUP NEW`, or save what is left with \
             `hapax salvage STORE NEW`, which reports its losses; neither changes this store"
        }
        ErrorKind::ClockJump => {
            "check the clock of this machine (`date`); if it is right, add --accept-clock-jump"
        }
        ErrorKind::NotAStore => {
            "a store is a directory with a file MANIFEST; `hapax restore BACKUP NEW` makes one from a \
             backup; a copy needs a new directory"
        }
        ErrorKind::Unsupported => {
            "use the `hapax` of the version that wrote the store, or a newer one"
        }
        ErrorKind::Superseded | ErrorKind::NotHeld => {
            "the key has changed: look at it with `hapax get`, and decide again with its current token"
        }
        ErrorKind::Salvaged => {
            "settle in other systems what was in progress when the store was damaged, then run \
             `hapax accept-salvage STORE`"
        }
        ErrorKind::AtCapacity => "free disk space or raise the limit, then run this again",
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
