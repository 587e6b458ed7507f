//! [`Verb`]: what every verb implements.

use crate::outcome::Outcome;
use crate::output::screen::Screen;
use crate::trouble::Result;

/// A verb, with its options.
pub(crate) trait Verb {
    /// Does the work, and shows the results on the screen.
    fn run(&self, screen: &mut Screen) -> Result<Outcome>;
}
