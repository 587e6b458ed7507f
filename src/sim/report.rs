//! [`Report`]: what a simulation has met.

macro_rules! report {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened in a simulation.
        ///
        /// # Examples
        ///
        /// ```
        /// use hapax::sim::{Report, Simulation, each_seed};
        ///
        /// let mut all = Report::default();
        /// each_seed(3, |seed| all.add(&Simulation::new(seed).steps(50).run(|_| async { Ok(()) })));
        /// assert!(all.lives() >= 3 && all.finished() > 0);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Report {
            $(pub(super) $name: u64,)*
        }

        impl Report {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.$name
            })*

            /// Adds the report of another simulation; digests are combined.
            pub fn add(&mut self, other: &Self) {
                let digest = self.digest.rotate_left(1) ^ other.digest;
                $(self.$name = self.$name.wrapping_add(other.$name);)*
                self.digest = digest;
            }
        }
    };
}

report! {
    /// Steps that were taken.
    steps,
    /// Times that the store was opened.
    lives,
    /// Opens that a fault has ended.
    failed_opens,
    /// Power cuts.
    power_cuts,
    /// Kills of the process.
    kills,
    /// Times that the store was closed, or dropped, and opened again.
    restarts,
    /// Times that the store stopped acknowledging after a failed write.
    poisoned,
    /// Handlers that ran to their end.
    finished,
    /// Of those, handlers that answered an error.
    errors,
    /// Handlers that were dropped where they waited, crashes not counted.
    cancelled,
    /// Calls that changed the medium.
    changes,
    /// Segments that compaction has dropped.
    segments_dropped,
    /// Records that compaction has carried.
    records_carried,
    /// A digest of the whole run: equal for equal seeds, handlers and versions.
    digest,
}
