//! [`Scan`]: going through keys, and the [`KeyFilter`] that chooses them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::backend::KeyRef;
use crate::remote::home::RemoteInner;
use crate::runtime::sync::block_on;
use crate::scan::log_scan::LogScan;
use crate::store::handle::StoreHome;
use crate::store::namespace::Namespace;
use crate::store::store::Store;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;
use crate::value::time::first_second_from;

/// The filter of a scan: states, a prefix, a span of time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::scan::KeyFilter;
/// use hapax::{KeyState, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// mail.insert_many(["eu/7", "eu/8", "us/9"])?;
/// let hour_ago = store.stats().store_time() - Duration::from_secs(3600);
/// let filter = KeyFilter::new()
///     .state(KeyState::Completed)
///     .prefix("eu/")
///     .recorded_from(hour_ago);
/// assert_eq!(mail.scan(filter)?.count(), 2);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    states: Vec<KeyState>,
    prefix: Vec<u8>,
    recorded_before: Option<u64>,
    recorded_from: Option<u64>,
}

impl KeyFilter {
    /// A filter that every key passes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys in this state. A second call adds another state.
    #[must_use]
    pub fn state(mut self, state: KeyState) -> Self {
        self.states.push(state);
        self
    }

    /// Keys that begin with these bytes.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Keys whose last transition was before this store time.
    #[must_use]
    pub fn recorded_before(mut self, store_time: SystemTime) -> Self {
        self.recorded_before = Some(first_second_from(store_time));
        self
    }

    /// Keys whose last transition was at or after this store time.
    #[must_use]
    pub fn recorded_from(mut self, store_time: SystemTime) -> Self {
        self.recorded_from = Some(first_second_from(store_time));
        self
    }

    /// Whether only keys in progress pass: the log need not be read for those.
    fn is_of_running_keys(&self) -> bool {
        !self.states.is_empty()
            && self
                .states
                .iter()
                .all(|state| *state == KeyState::InProgress)
    }

    fn passes(&self, info: &KeyInfo) -> bool {
        let recorded_at = u64::from(info.record.head.recorded_at);
        (self.states.is_empty() || self.states.contains(&info.state()))
            && info.key().starts_with(&self.prefix)
            && self
                .recorded_before
                .is_none_or(|before| recorded_at < before)
            && self.recorded_from.is_none_or(|from| recorded_at >= from)
    }
}

/// An iterator over keys. Compaction waits while it is alive.
///
/// # Examples
///
/// ```
/// use hapax::scan::KeyFilter;
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// mail.insert_many(["user-7", "user-8"])?;
/// for info in store.scan(KeyFilter::new())? {
///     let info = info?;
///     println!("{}: {:?} is {}", info.namespace(), info.key(), info.state());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
pub struct Scan {
    source: Source,
    only: Option<NamespaceId>,
    filter: KeyFilter,
    found: VecDeque<KeyInfo>,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    Log(LogScan),
    /// The rows of a backend, and the key behind which the next page begins.
    Pages(Arc<RemoteInner>, Option<KeyRef>),
}

impl Scan {
    pub(crate) fn new(
        store: &StoreHome,
        only: Option<NamespaceId>,
        filter: KeyFilter,
    ) -> Result<Self> {
        let source = match store {
            StoreHome::Local(store) => {
                Source::Log(LogScan::new(store, filter.is_of_running_keys())?)
            }
            StoreHome::Remote(store) => {
                store.remote.check_open()?;
                Source::Pages(Arc::clone(store), None)
            }
        };
        Ok(Self {
            source,
            only,
            filter,
            found: VecDeque::new(),
            ended: false,
        })
    }

    fn check_current(&self) -> Result<()> {
        match &self.source {
            Source::Log(scan) => scan.check_current(),
            Source::Pages(..) => Ok(()),
        }
    }

    /// Looks for more keys; false at the end.
    fn more(&mut self) -> Result<bool> {
        let infos = match &mut self.source {
            Source::Log(scan) => scan.more(self.only)?,
            Source::Pages(store, after) => {
                let page = block_on(store.remote.page(self.only, after.clone()))?;
                page.map(|(infos, last)| {
                    *after = Some(last);
                    infos
                })
            }
        };
        let Some(infos) = infos else {
            return Ok(false);
        };
        let filter = &self.filter;
        self.found
            .extend(infos.into_iter().filter(|info| filter.passes(info)));
        Ok(true)
    }
}

impl Store {
    /// Goes through the keys of all namespaces that pass a filter.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn scan(&self, filter: KeyFilter) -> Result<Scan> {
        Scan::new(self.home(), None, filter)
    }
}

impl Namespace {
    /// Goes through the keys of the namespace that pass a filter, oldest record first, then the
    /// ones in progress.
    ///
    /// A key that does not change meanwhile is met exactly once; a key that changes may be met in either
    /// state. Compaction waits while the scan is alive.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn scan(&self, filter: KeyFilter) -> Result<Scan> {
        Scan::new(&self.store(), Some(self.id()), filter)
    }
}

impl Iterator for Scan {
    type Item = Result<KeyInfo>;

    fn next(&mut self) -> Option<Result<KeyInfo>> {
        loop {
            if self.ended {
                return None;
            }
            let current = self.check_current();
            if let (Ok(()), Some(info)) = (&current, self.found.pop_front()) {
                return Some(Ok(info));
            }
            match current.and_then(|()| self.more()) {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("filter", &self.filter)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
