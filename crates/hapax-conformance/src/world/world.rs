//! [`World`]: a home of stores, as the tests of the contract see it.

use std::time::Duration;

use hapax::Store;

use crate::world::capability::Capabilities;
use crate::world::settings::Settings;

/// A place for one store, and a clock that stands still until a test moves it.
pub trait World {
    /// Another world of this kind: an empty store with these settings, and a clock of its own.
    fn another(&self, settings: &Settings) -> Box<dyn World>;

    /// Opens the store, as a process does that starts after the last one has ended.
    fn open(&self) -> Store;

    /// Opens the store in a second process, while the first one has it open; `None` where only one process can.
    fn second(&self) -> Option<Store> {
        None
    }

    /// Moves time. What is due by then (lapses, waits, expiry) is done when it returns.
    fn advance(&self, by: Duration);

    /// Ends the process that opened this store without a close. What it was told is stored stays, and whatever
    /// leases, handles and futures of it are still around change nothing any more.
    fn crash(&self, store: Store);

    /// Moves time until the leases of crashed processes have ended. Where a process that opens the store ends those of
    /// all before it, there is nothing to do.
    fn let_orphans_end(&self) {}

    /// Returns when nothing moves any more unless time passes or a call is made: each call that was sent is answered,
    /// and each future that can end does so at its next poll. Where [the first poll](crate::Capability::AnswersAtOnce)
    /// is enough, there is nothing to do.
    fn rest(&self) {}

    /// What stores of this world can do that not all can.
    fn capabilities(&self) -> Capabilities;
}
