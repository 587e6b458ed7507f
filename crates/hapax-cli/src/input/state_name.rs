//! [`StateName`]: a state on the command line.

use clap::ValueEnum;
use hapax::KeyState;

/// A state, under its name on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum StateName {
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

impl From<StateName> for KeyState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::InProgress => Self::InProgress,
            StateName::Completed => Self::Completed,
            StateName::Failed => Self::Failed,
            StateName::InDoubt => Self::InDoubt,
            StateName::Released => Self::Released,
        }
    }
}
