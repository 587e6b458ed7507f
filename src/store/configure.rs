//! A configuration applied to a store, and shown: `configure` and `explain`.

use std::collections::BTreeMap;

use crate::engine::options::EngineOptions;
use crate::remote::remote::Remote;
use crate::store::config::{Config, Explained, StoreConfig};
use crate::store::handle::StoreHome;
use crate::store::namespace::Namespace;
use crate::store::store::Store;
use crate::value::durability::Durability;
use crate::value::error::Result;

impl Store {
    /// Makes the namespaces of a configuration, or gives them their policies, as
    /// [`namespace`](Self::namespace) does; returns them by name. [`Builder::config`](crate::Builder::config)
    /// takes its other options.
    ///
    /// Records keep the retention that they were written with, and a guarantee never changes here. An option
    /// that a namespace does not name gets its default, even if another value is stored. If any part is
    /// refused, nothing changes.
    ///
    /// # Errors
    /// As for [`Config::check`] and [`namespace`](Self::namespace).
    pub fn configure(&self, config: &Config) -> Result<BTreeMap<String, Namespace>> {
        config.check_under(self.durability())?;
        let mut policies = Vec::new();
        for (name, space) in &config.namespaces {
            let policy = space.policy()?;
            match self.home() {
                StoreHome::Local(inner) => inner.engine.check_policy(name, &policy)?,
                StoreHome::Remote(inner) => inner.remote.check_policy(name, &policy)?,
            }
            policies.push((name.clone(), policy));
        }
        let made = policies.into_iter().map(|(name, policy)| {
            let space = self.namespace(&name, policy)?;
            Ok((name, space))
        });
        made.collect()
    }

    /// Every option in force: its value, where it comes from, and what it means.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Limits, Store};
    /// use hapax::config::OptionSource;
    ///
    /// let limits = Limits::new().key_bytes(64);
    /// let explained = Store::in_memory().limits(limits).open()?.explain();
    /// let option = explained.find("limits.key_bytes").unwrap();
    /// assert_eq!((option.value(), option.source()), (Some("64 B"), OptionSource::Set));
    /// assert_eq!(option.by_default(), Some("1 KiB"));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    #[must_use]
    pub fn explain(&self) -> Explained {
        let inner = match self.home() {
            StoreHome::Local(inner) => inner,
            StoreHome::Remote(inner) => return explain_remote(&inner.remote),
        };
        let options = &inner.engine.options;
        let mut explained = Explained::default();
        let store = StoreConfig {
            log_kind: self.log_kind(),
            ..StoreConfig::kept_by(options)
        };
        explained.add_store(&store, &StoreConfig::kept_by(&EngineOptions::default()));
        explained.add_limits(&options.limits);
        let namespaces = inner.engine.namespaces.lock();
        for entry in &namespaces.manifest.namespaces {
            explained.add_namespace(&entry.name, &entry.policy);
        }
        explained
    }
    fn durability(&self) -> Durability {
        match self.home() {
            StoreHome::Local(inner) => inner.engine.options.durability,
            StoreHome::Remote(inner) => inner.remote.options.durability,
        }
    }
}

/// The options of a store over a backend that a configuration names.
fn explain_remote(remote: &Remote) -> Explained {
    let kept = EngineOptions {
        durability: remote.options.durability,
        limits: remote.options.limits.clone(),
        trace_keys: remote.options.trace_keys,
        ..EngineOptions::default()
    };
    let mut explained = Explained::default();
    let defaults = StoreConfig::kept_by(&EngineOptions::default());
    explained.add_store(&StoreConfig::kept_by(&kept), &defaults);
    explained.add_limits(&kept.limits);
    for entry in &remote.manifest().namespaces {
        explained.add_namespace(&entry.name, &entry.policy);
    }
    explained
}
