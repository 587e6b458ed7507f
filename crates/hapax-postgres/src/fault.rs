//! [`Fault`] and [`Trouble`]: what goes wrong, as a call hears of it, and as the code that sends it does.

use hapax::backend::refused;
use hapax::{Error, ErrorKind};
use tokio_postgres::error::Severity;

/// An error that several callers may get: the changes of one statement fail together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }

    /// Nothing happened; later it may.
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, text)
    }

    /// It was sent, and may have been carried out.
    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unknown, text)
    }

    pub(crate) fn damaged(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, text)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store was closed")
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        refused(fault.kind, fault.text)
    }
}

/// Why a statement has no rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// There is no connection: nothing was sent.
    NotSent(Fault),
    /// The server took it back because of a lock or of another transaction: it can be sent again.
    Conflict(Fault),
    /// The server has recovered since the epoch of tokens rose: nothing happened.
    Recovered(Fault),
    /// The server refuses what one of the changes has.
    BadData(Fault),
    /// The server refuses it.
    Refused(Fault),
    /// No answer came: it may have been carried out.
    Lost(String),
}

impl Trouble {
    /// What a call hears that changed something, or would have.
    pub(crate) fn of_a_change(self) -> Fault {
        match self {
            Self::Lost(text) => Fault::unknown(text),
            other => other.of_a_look(),
        }
    }

    /// What a call hears that only looked.
    pub(crate) fn of_a_look(self) -> Fault {
        match self {
            Self::NotSent(fault)
            | Self::Conflict(fault)
            | Self::Recovered(fault)
            | Self::BadData(fault)
            | Self::Refused(fault) => fault,
            Self::Lost(text) => Fault::unavailable(text),
        }
    }
}

/// What an error of a statement means that was sent.
pub(crate) fn trouble_of(error: &tokio_postgres::Error) -> Trouble {
    let text = describe(error);
    let Some(refusal) = error.as_db_error() else {
        return Trouble::Lost(format!("the connection to PostgreSQL broke: {text}"));
    };
    // A server that ends a connection may have committed before.
    if refusal.parsed_severity() != Some(Severity::Error) {
        return Trouble::Lost(text);
    }
    let code = refusal.code().code();
    match code {
        "40001" | "40P01" | "55P03" => Trouble::Conflict(Fault::unavailable(text)),
        "HX001" => Trouble::Recovered(Fault::unavailable(text)),
        _ if code.starts_with("22") || code.starts_with("23") => {
            Trouble::BadData(Fault::new(ErrorKind::Invalid, text))
        }
        _ => Trouble::Refused(Fault::new(kind_of(code), text)),
    }
}

/// What an error of an attempt to connect means.
pub(crate) fn connect_fault(error: &tokio_postgres::Error) -> Fault {
    let text = format!("PostgreSQL cannot be reached: {}", describe(error));
    match error.as_db_error() {
        Some(refusal) => Fault::new(kind_of(refusal.code().code()), text),
        None => Fault::unavailable(text),
    }
}

fn kind_of(code: &str) -> ErrorKind {
    match code {
        // Only a primary takes changes; the next attempt may find it.
        "25006" | "55000" => ErrorKind::Unavailable,
        "53100" => ErrorKind::AtCapacity,
        "HX002" | "0A000" => ErrorKind::Unsupported,
        "3F000" | "42P01" | "42883" | "42704" => ErrorKind::NotAStore,
        "XX001" | "XX002" => ErrorKind::Damaged,
        _ if code.starts_with("28") || code.starts_with("3D") || code.starts_with("42") => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::Unavailable,
    }
}

/// The error and what caused it. Neither has the password; details are left out, because they may show keys.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        let (severity, code) = (refusal.severity(), refusal.code().code());
        return format!("{severity} {code}: {}", refusal.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
