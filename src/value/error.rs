//! [`Error`]: why the store could not answer, and what to do next.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The result of an operation of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a call: a kind, and a text that says what to do.
///
/// Losing a claim is not an error: it is one of the answers of a claim. An `Error` means that the
/// store could not answer, or refused what it was asked for. [`kind`](Error::kind) says what to do
/// next; the text names the place, the limit and the remedy.
///
/// # Examples
///
/// ```
/// use hapax::{ErrorKind, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// let error = mail.claim("").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// # Ok::<(), hapax::Error>(())
/// ```
///
/// Every call of a store ends in it, those of a [`Lease`](crate::Lease) too, so `?` needs one `From`. The lease
/// comes back by [`into_lease`](Error::into_lease):
///
/// ```
/// use hapax::Lease;
///
/// enum Trouble {
///     Store(hapax::Error),
///     Printer(std::io::Error),
/// }
///
/// impl From<hapax::Error> for Trouble {
///     fn from(error: hapax::Error) -> Self {
///         Self::Store(error)
///     }
/// }
///
/// fn print(lease: Lease) -> Result<(), Trouble> {
///     std::fs::write("/dev/null", lease.key()).map_err(Trouble::Printer)?;
///     lease.complete("printed")?;
///     Ok(())
/// }
/// ```
///
/// Its `Debug` is its text, so that `main` can return it:
///
/// ```no_run
/// fn main() -> hapax::Result<()> {
///     hapax::Store::open("/var/lib/mailer/dedup")?;
///     Ok(())
/// }
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The state that the refusal depends on, and the lease that it gives back; only the code that puts one in
    /// knows its type.
    details: Vec<Box<dyn Any + Send + Sync>>,
    payload: Option<Vec<u8>>,
}

/// The error of a reader whose store was opened to write since.
#[derive(Debug)]
pub(crate) struct Overtaken(pub(crate) String);

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Overtaken {}

/// The kinds of [`Error`], by what to do next.
///
/// # Examples
///
/// ```
/// use hapax::{ErrorKind, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// let error = mail.claim(vec![b'x'; 2000]).unwrap_err();
/// match error.kind() {
///     ErrorKind::AtCapacity => println!("try again later: {error}"),
///     ErrorKind::Poisoned => println!("reopen the store: {error}"),
///     kind => assert_eq!(kind, ErrorKind::TooLarge),
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument or a combination of options makes no sense: correct the call.
    Invalid,
    /// An argument is over its limit: send less, or raise the limit.
    TooLarge,
    /// The store is at a limit of its own (keys, running keys, log space, free disk): back off and
    /// try again, or raise the limit. Holders can still complete.
    AtCapacity,
    /// The token is no longer current: stop the work, another holder or a resolution has won.
    /// [`Error::current`] tells what the key is now.
    Superseded,
    /// The key of this token is no longer there: stop the work.
    NotHeld,
    /// The key was settled under this token with another outcome, or a ticket came for a key that has its
    /// outcome. [`Error::current`] has that outcome.
    AlreadySettled,
    /// Refused while the key is running, in doubt, or its holder is alive in this process: wait,
    /// or force it where the call allows that.
    InUse,
    /// No namespace has this name: the text lists those that exist.
    NoNamespace,
    /// The namespace exists with another policy or guarantee: use the same one, or change it with
    /// the call made for that.
    PolicyConflict,
    /// The store has another kind of log than the call names: open it without naming one, or move it with
    /// [`Store::move_log`](crate::Store::move_log).
    LogConflict,
    /// Another process, or another handle of this one, has the store open: the text names it. A call of a
    /// reader gets this once the store was opened to write: open it again.
    Locked,
    /// The store is open read-only: open it without [`read_only`](crate::Builder::read_only) to change it.
    ReadOnly,
    /// The directory is not a store, or not one that this call may use: check the path.
    NotAStore,
    /// The store was written by a newer version, or by one that is no longer read.
    Unsupported,
    /// Stored bytes are damaged or missing: restore a backup, or save what is left with
    /// [`Store::salvage`](crate::Store::salvage). Either makes a new store and leaves this one unchanged.
    Damaged,
    /// The store was salvaged with losses, so the effect may have happened already: find that out elsewhere,
    /// then call [`Operator::accept_salvage`](crate::operator::Operator::accept_salvage).
    Salvaged,
    /// The wall clock is implausibly far from the store's time: check the clock, then accept it.
    ClockJump,
    /// An earlier write failed, so nothing is acknowledged any more: reopen the store. What was
    /// durable before is still answered. The effect of this call is unknown until then.
    Poisoned,
    /// The store was closed, and nothing was done.
    Closed,
    /// This process is a fork of the one that opened the store: open stores after forking.
    Forked,
    /// Stored bytes do not decode as the type asked for: [`Error::payload`] has them.
    Decode,
    /// The operating system refused a call, and no other kind covers it.
    Io,
    /// The server of the store could not be reached, or did not begin the call: nothing happened. Try again later.
    Unavailable,
    /// The call was sent to the server of the store, and no answer came: it may have been carried out. Ask for the
    /// key again; the same call again does no harm.
    Unknown,
}

impl ErrorKind {
    /// Its name in metrics and logs: words with underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::AtCapacity => "at_capacity",
            Self::Superseded => "superseded",
            Self::NotHeld => "not_held",
            Self::AlreadySettled => "already_settled",
            Self::InUse => "in_use",
            Self::NoNamespace => "no_namespace",
            Self::ReadOnly => "read_only",
            Self::PolicyConflict => "policy_conflict",
            Self::LogConflict => "log_conflict",
            Self::Locked => "locked",
            Self::NotAStore => "not_a_store",
            Self::Unsupported => "unsupported",
            Self::Damaged => "damaged",
            Self::Salvaged => "salvaged",
            Self::ClockJump => "clock_jump",
            Self::Poisoned => "poisoned",
            Self::Closed => "closed",
            Self::Forked => "forked",
            Self::Decode => "decode",
            Self::Io => "io",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                text: text.into(),
                source: None,
                details: Vec::new(),
                payload: None,
            }),
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// The same error for another caller of one call: its kind and its text.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind(), self.inner.text.clone())
    }

    /// Carries a value that only the file of its type puts in and takes out.
    pub(crate) fn with_detail(mut self, detail: Box<dyn Any + Send + Sync>) -> Self {
        self.inner.details.push(detail);
        self
    }

    /// The detail of this type.
    pub(crate) fn detail<T: Any>(&self) -> Option<&T> {
        let mut details = self.inner.details.iter();
        details.find_map(|detail| detail.downcast_ref())
    }

    /// Takes the detail of this type out.
    pub(crate) fn take_detail<T: Any>(&mut self) -> Option<Box<T>> {
        let details = &mut self.inner.details;
        let at = details.iter().position(|detail| detail.is::<T>())?;
        details.swap_remove(at).downcast().ok()
    }

    pub(crate) fn with_payload(mut self, payload: Vec<u8>) -> Self {
        self.inner.payload = Some(payload);
        self
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, text)
    }

    /// `what` has `actual` bytes (or items) where `limit` are allowed.
    pub(crate) fn too_large(what: &str, actual: usize, limit: usize, remedy: &str) -> Self {
        Self::new(
            ErrorKind::TooLarge,
            format!("{what} has {actual}, the limit is {limit}: {remedy}"),
        )
    }

    pub(crate) fn io(doing: &str, source: io::Error) -> Self {
        let overtaken = source.get_ref().and_then(|cause| cause.downcast_ref());
        if let Some(Overtaken(text)) = overtaken {
            return Self::new(ErrorKind::Locked, text.clone());
        }
        let kind = match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Damaged,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::AtCapacity,
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("{doing}: {source}")).with_source(source)
    }

    /// The kind of error, which says what to do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The stored bytes that did not decode.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.inner.payload.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.text)
    }
}

/// The text, and what caused it where the text does not say so: an error that `main` returns is read by a
/// person. `{:#?}` shows the kind too.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f
                .debug_struct("Error")
                .field("kind", &self.inner.kind)
                .field("text", &self.inner.text)
                .field("source", &self.inner.source)
                .finish_non_exhaustive();
        }
        let mut above = self.inner.text.clone();
        f.write_str(&above)?;
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !above.contains(&text) {
                write!(f, "\ncaused by: {text}")?;
            }
            (above, source) = (text, cause.source());
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.inner.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use crate::value::error::{Error, StdError};

    #[derive(Debug)]
    struct Cause(&'static str, Option<Box<Self>>);

    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Cause {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn debug_shows_the_causes_that_the_text_does_not() {
        let disk = Cause("the cable is out", None);
        let write = Cause("the write failed", Some(Box::new(disk)));
        let error = Error::invalid("sealing a frame: the write failed").with_source(write);
        let shown = "sealing a frame: the write failed\ncaused by: the cable is out";
        assert_eq!(format!("{error:?}"), shown);
    }
}
