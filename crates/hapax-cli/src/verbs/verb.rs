//! [`Verb`]: what every verb of the command line is.

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::Result;

/// A verb, with its options.
pub(crate) trait Verb {
    /// Does what the options say, and tells it on the screen.
    fn run(&self, screen: &mut Screen) -> Result<Outcome>;
}
