//! [`Outcome`]: how a verb ended after doing its work, and its exit code.

use std::process::ExitCode;

/// How a verb ended after doing its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing needs attention.
    Done,
    /// Something needs attention.
    Found,
    /// The verb was a dry run.
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
