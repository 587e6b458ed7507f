//! [`Ending`]: how a request ended.

use crate::answer::reason::Reason;

/// How a request ended; each request counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Uncovered,
    Unkeyed,
    Screened,
    Executed,
    Replayed,
    Unprotected,
    Abandoned,
    InnerError,
    Refused(Reason),
}
