//! [`KeyChoice`]: the keys that a verb works on.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use hapax::scan::{KeyFilter, ScanPosition};
use hapax::{Doubt, KeyInfo, KeyState, Namespace, Store};
use hapax_http_types::KeyParts;

use crate::input::namespace_args::NamespaceArgs;
use crate::notation::key_text::{self, KeyBytes};
use crate::notation::time;
use crate::trouble::{Result, Trouble};

/// The parts that a key of the HTTP layer must have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct PartsWanted {
    client_key: Option<String>,
    tenant: Option<String>,
    operation: Option<String>,
}

impl PartsWanted {
    fn fit(&self, key: &[u8]) -> bool {
        if *self == Self::default() {
            return true;
        }
        let is = |wanted: &Option<String>, part: &str| wanted.as_ref().is_none_or(|it| it == part);
        KeyParts::of(key).is_some_and(|parts| {
            let sent = self.client_key.as_ref();
            sent.is_none_or(|sent| parts.is_sent_as(sent))
                && is(&self.tenant, parts.scope())
                && is(&self.operation, parts.operation())
        })
    }
}

/// The options that choose keys.
#[derive(Debug, Args)]
pub(crate) struct KeyChoice {
    /// Only this namespace
    #[command(flatten)]
    namespace: NamespaceArgs,

    /// Only keys with this prefix
    #[arg(long, value_name = "KEY", value_parser = key_text::parse_key)]
    prefix: Option<KeyBytes>,

    /// Only keys of the HTTP layer with this client key
    #[arg(long, value_name = "KEY", help_heading = "Keys of the HTTP layer")]
    client_key: Option<String>,

    /// Only keys of this tenant; '' if the service has only one
    #[arg(long, value_name = "NAME", help_heading = "Keys of the HTTP layer")]
    tenant: Option<String>,

    /// Only keys of this operation, such as 'POST /payments'
    #[arg(long, value_name = "NAME", help_heading = "Keys of the HTTP layer")]
    operation: Option<String>,

    /// Only keys whose last transition is at least this old, in store time
    #[arg(long, value_name = "SPAN", value_parser = time::parse_span)]
    older_than: Option<Duration>,
}

impl KeyChoice {
    /// The chosen keys in one of these states, or in any state if the list is empty.
    pub(crate) fn keys(
        &self,
        store: &Store,
        states: &[KeyState],
    ) -> Result<impl Iterator<Item = Result<KeyInfo>> + use<>> {
        let mut filter = KeyFilter::new();
        for state in states {
            filter = filter.state(*state);
        }
        if let Some(prefix) = &self.prefix {
            filter = filter.prefix(prefix.clone());
        }
        if let Some(span) = self.older_than.filter(|span| !span.is_zero()) {
            let before = time::secs(store.stats().store_time()).saturating_sub(span.as_secs());
            // A key that was recorded in this very second is old enough.
            filter = filter.recorded_before(time::at(before.saturating_add(1)));
        }
        let scan = match &self.namespace.namespace {
            Some(name) => store.open_namespace(name)?.scan(filter)?,
            None => store.scan(filter)?,
        };
        let parts = self.parts();
        let chosen =
            scan.filter(move |found| found.as_ref().map_or(true, |info| parts.fit(info.key())));
        Ok(chosen.map(|info| info.map_err(Trouble::from)))
    }

    fn parts(&self) -> PartsWanted {
        PartsWanted {
            client_key: self.client_key.clone(),
            tenant: self.tenant.clone(),
            operation: self.operation.clone(),
        }
    }

    /// As [`keys`](Self::keys), oldest first. Keeps names and ages in memory, and reads the rest of each
    /// key when its turn comes.
    pub(crate) fn oldest_first(
        &self,
        store: &Store,
        states: &[KeyState],
    ) -> Result<impl Iterator<Item = Result<KeyInfo>> + use<>> {
        let mut spaces: BTreeMap<String, Namespace> = BTreeMap::new();
        let mut places = Vec::new();
        for info in self.keys(store, states)? {
            let info = info?;
            let rank = ScanPosition::new(info.recorded_at(), info.token());
            let space = match spaces.get(info.namespace()) {
                Some(space) => space.clone(),
                None => {
                    let space = store.open_namespace(info.namespace())?;
                    spaces.insert(info.namespace().to_owned(), space.clone());
                    space
                }
            };
            places.push((rank, space, info.key().to_vec()));
        }
        places.sort_by_key(|(rank, ..)| *rank);
        // Nothing changes a store that is open for reading, so a key that is gone has expired.
        let infos = places.into_iter().map(|(_, space, key)| space.get(&key));
        Ok(infos.filter_map(|info| info.map_err(Trouble::from).transpose()))
    }

    /// The chosen doubts, oldest first, each read when its turn comes.
    pub(crate) fn doubts(&self, store: &Store) -> Result<impl Iterator<Item = Result<Doubt>>> {
        let doubts = match &self.namespace.namespace {
            Some(name) => store.open_namespace(name)?.doubts()?,
            None => store.doubts()?,
        };
        let now_secs = time::secs(store.stats().store_time());
        let is_old = move |doubt: &Doubt| {
            let old = |span: Duration| {
                now_secs.saturating_sub(time::secs(doubt.since())) >= span.as_secs()
            };
            self.older_than.is_none_or(old)
        };
        let parts = self.parts();
        let begins = move |doubt: &Doubt| {
            let prefix = self.prefix.as_ref();
            prefix.is_none_or(|prefix| doubt.key().starts_with(prefix)) && parts.fit(doubt.key())
        };
        // The oldest come first, so the first doubt that is too young ends the list.
        let old = doubts.take_while(move |found| found.as_ref().map_or(true, &is_old));
        let chosen = old.filter(move |found| found.as_ref().map_or(true, &begins));
        Ok(chosen.map(|found| found.map_err(Trouble::from)))
    }

    pub(crate) fn namespace(&self) -> &NamespaceArgs {
        &self.namespace
    }

    /// Whether the options choose keys by age.
    pub(crate) fn has_age(&self) -> bool {
        self.older_than.is_some()
    }

    /// Whether the options choose keys by parts that only keys of the HTTP layer have.
    pub(crate) fn has_parts(&self) -> bool {
        self.parts() != PartsWanted::default()
    }

    pub(crate) fn prefix(&self) -> Option<&[u8]> {
        self.prefix.as_deref()
    }
}
