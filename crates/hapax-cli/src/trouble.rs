//! [`Outcome`] and [`Trouble`]: how a verb ends, and its exit code.

use std::io;
use std::process::ExitCode;

use hapax::ErrorKind;
use serde_json::Value;

use crate::args::Format;
use crate::escaped;
use crate::json_line;

/// How a verb ended that could do its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing needs anybody.
    Done,
    /// Something was found that does.
    Found,
    /// It was a dry run.
    Unconfirmed,
}

impl Outcome {
    pub(crate) fn found_if(found: bool) -> Self {
        if found { Self::Found } else { Self::Done }
    }

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Found => 1,
            Self::Unconfirmed => 5,
        })
    }
}

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

    /// What went wrong with a file, in words such as "reading keys.jsonl".
    pub(crate) fn file(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::Io(doing, error)
    }

    fn exit_code(&self) -> u8 {
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
    fn kind(&self) -> String {
        match self {
            Self::Store(error) => snake(&format!("{:?}", error.kind())),
            Self::Usage(_) => "usage".to_owned(),
            Self::Refused(_) => "refused".to_owned(),
            Self::Io(..) => "io".to_owned(),
        }
    }

    fn text(&self) -> String {
        let text = match self {
            Self::Store(error) => error.to_string(),
            Self::Usage(text) | Self::Refused(text) => text.clone(),
            Self::Io(doing, error) => format!("{doing}: {error}"),
        };
        escaped::line(&text)
    }

    /// What an operator does next, where the text of the library is made for programs.
    fn next(&self) -> Option<&'static str> {
        let Self::Store(error) = self else {
            return None;
        };
        next_after(error.kind())
    }

    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self, format: Format) -> ExitCode {
        let code = self.exit_code();
        if format == Format::Json {
            let next = self.next().map_or(Value::Null, Value::from);
            let fields = [
                ("error", Value::from(self.kind())),
                ("text", Value::from(self.text())),
                ("next", next),
                ("exit_code", Value::from(code)),
            ];
            say(&json_line::object(&fields));
        } else {
            say(&format!("hapax: {}", self.text()));
            if let Some(next) = self.next() {
                say(&format!("next: {next}"));
            }
        }
        ExitCode::from(code)
    }
}

/// A line on standard error; who closed it wants none.
pub(crate) fn say(line: &str) {
    use io::Write as _;
    let _ = writeln!(io::stderr(), "{line}");
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
