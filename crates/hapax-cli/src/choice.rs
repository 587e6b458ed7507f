//! [`Choice`]: which keys a verb is about.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hapax::{Doubt, Filter, KeyInfo, State, Store};

use crate::opening::NamespaceArgs;
use crate::trouble::{Result, Trouble};
use crate::{escaped, span};

/// A state, as it is written on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum StateName {
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

impl From<StateName> for State {
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

/// Which keys.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only this namespace
    #[command(flatten)]
    namespace: NamespaceArgs,

    /// Only keys that begin so
    #[arg(long, value_name = "KEY", value_parser = escaped::parse_key)]
    prefix: Option<KeyBytes>,

    /// Only keys whose last transition is at least this long ago, by the time of the store
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    older_than: Option<Duration>,
}

/// A key that was given; an alias, so that clap does not take it for many values.
pub(crate) type KeyBytes = Vec<u8>;

impl Choice {
    /// The keys that were chosen and are in one of these states; in any, if there are none.
    pub(crate) fn keys(
        &self,
        store: &Store,
        states: &[State],
    ) -> Result<impl Iterator<Item = Result<KeyInfo>> + use<>> {
        let mut filter = Filter::new();
        for state in states {
            filter = filter.state(*state);
        }
        if let Some(prefix) = &self.prefix {
            filter = filter.prefix(prefix.clone());
        }
        if let Some(span) = self.older_than.filter(|span| !span.is_zero()) {
            let before = store.stats().store_secs().saturating_sub(span.as_secs());
            // What was recorded at that very second is as old as was asked for.
            filter = filter.recorded_before(before.saturating_add(1));
        }
        let scan = match &self.namespace.namespace {
            Some(name) => store.open_namespace(name)?.scan(filter)?,
            None => store.scan(filter)?,
        };
        Ok(scan.map(|info| info.map_err(Trouble::from)))
    }

    /// As [`keys`](Self::keys), oldest first; all of them are held in memory.
    pub(crate) fn oldest_first(&self, store: &Store, states: &[State]) -> Result<Vec<KeyInfo>> {
        let mut keys = self.keys(store, states)?.collect::<Result<Vec<_>>>()?;
        keys.sort_by(|one, other| {
            let place = |info: &KeyInfo| (info.recorded_at(), info.token());
            place(one).cmp(&place(other))
        });
        Ok(keys)
    }

    /// The doubts that were chosen, oldest first.
    pub(crate) fn doubts(&self, store: &Store) -> Result<Vec<Doubt>> {
        let mut doubts = match &self.namespace.namespace {
            Some(name) => store.open_namespace(name)?.in_doubt()?,
            None => store.in_doubt()?,
        };
        let now_secs = store.stats().store_secs();
        doubts.retain(|doubt| {
            let is_old = |span: Duration| now_secs.saturating_sub(doubt.since()) >= span.as_secs();
            let begins = |prefix: &KeyBytes| doubt.key().starts_with(prefix);
            self.prefix.as_ref().is_none_or(begins) && self.older_than.is_none_or(is_old)
        });
        Ok(doubts)
    }

    pub(crate) fn namespace(&self) -> &NamespaceArgs {
        &self.namespace
    }

    /// Whether keys are chosen by how old they are.
    pub(crate) fn has_age(&self) -> bool {
        self.older_than.is_some()
    }

    pub(crate) fn prefix(&self) -> Option<&[u8]> {
        self.prefix.as_deref()
    }
}
