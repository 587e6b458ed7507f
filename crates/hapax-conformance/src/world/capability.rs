//! [`Capability`]: what not every home of stores can do.

/// What stores can do in some homes, but not in all. A test that needs one is not for the homes without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Several processes have one store open at the same time.
    SeveralProcesses,
    /// At open every holder of an earlier process is superseded, with no lease to wait out.
    OrphansEndAtOpen,
    /// A future that needs no other event is ready at its first poll.
    AnswersAtOnce,
    /// A caller in line whose turn has come decides at its next poll, not before.
    DecidedWhenPolled,
    /// Times of keys and what is left of leases are those of the moved clock, to the millisecond.
    ExactTimes,
    /// A claim that leaves no record under at-least-once: after a crash it has never been.
    UnwrittenClaims,
    /// `live_keys` and `running_keys` count all keys of the store, and hold to the key.
    KeyLimits,
    /// Doubts and running keys are listed by age, and one that begins during a list is not in it.
    ListsByAge,
    /// `Durability::Interval`: what is acknowledged may be lost for a while.
    Interval,
    /// An audit log.
    Audit,
    /// `Store::change_guarantee`.
    ChangeGuarantee,
    /// A log of its own, whose frames and syncs are counted.
    Log,
}

/// The capabilities of a home.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capabilities(Vec<Capability>);

impl Capabilities {
    #[must_use]
    pub fn new(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        Self(capabilities.into_iter().collect())
    }

    /// All that the embedded store has, in any of its logs.
    #[must_use]
    pub fn embedded() -> Self {
        Self::new([
            Capability::OrphansEndAtOpen,
            Capability::AnswersAtOnce,
            Capability::DecidedWhenPolled,
            Capability::ExactTimes,
            Capability::UnwrittenClaims,
            Capability::KeyLimits,
            Capability::ListsByAge,
            Capability::Interval,
            Capability::Audit,
            Capability::ChangeGuarantee,
            Capability::Log,
        ])
    }

    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}
