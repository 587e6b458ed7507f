//! [`Settings`]: what a test asks of the store of a world.

use hapax::{Builder, Durability, Limits};

/// What a test asks of a store. Each time that it is opened, it has them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    limits: Option<Limits>,
    durability: Option<Durability>,
    shards: Option<usize>,
}

impl Settings {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Only for tests that need [`Interval`](crate::Capability::Interval), or ask for `Sync`.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// In how many parts a process keeps the keys; a home that has no such parts ignores it.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The limits, if they are not those of any store.
    #[must_use]
    pub fn limits_asked(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// The same, asked of the builder of an embedded store.
    pub fn ask(&self, mut builder: Builder) -> Builder {
        if let Some(limits) = &self.limits {
            builder = builder.limits(limits.clone());
        }
        if let Some(durability) = self.durability {
            builder = builder.durability(durability);
        }
        if let Some(shards) = self.shards {
            builder = builder.shards(shards);
        }
        builder
    }
}
