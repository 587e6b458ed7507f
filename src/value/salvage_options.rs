//! [`SalvageOptions`]: what a salvage is told.

use std::path::{Path, PathBuf};

use crate::value::policy::Policy;

/// What a salvage needs to know if the manifest of the store is lost.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
/// use hapax::maintenance::SalvageOptions;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let (broken, rescued) = (dir.path().join("broken"), dir.path().join("rescued"));
/// # Store::open(&broken)?.namespace("mail", Policy::at_least_once())?.insert("user-7")?;
/// # std::fs::remove_file(broken.join("MANIFEST")).unwrap();
/// // No backup is at hand either, so the namespaces are named by hand.
/// let options = SalvageOptions::new().namespace(1, "mail", Policy::at_least_once());
/// let salvage = Store::salvage_with(&broken, &rescued, options)?;
/// assert!(salvage.seed_is_lost());
/// assert_eq!(salvage.completed_keys(), 1);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SalvageOptions {
    pub(crate) manifest_of: Option<PathBuf>,
    pub(crate) namespaces: Vec<(u32, String, Policy)>,
}

impl SalvageOptions {
    /// Takes everything from the store itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// If the manifest is lost, takes that of this directory: a backup, or an older copy of the same store.
    /// It also has the secret of fingerprints and derived keys.
    pub fn manifest_of(mut self, directory: impl AsRef<Path>) -> Self {
        self.manifest_of = Some(directory.as_ref().to_owned());
        self
    }

    /// If the manifest is lost, gives the namespace with this number its name and policy. Namespaces are
    /// numbered from 1, in the order in which they were made.
    pub fn namespace(mut self, number: u32, name: &str, policy: Policy) -> Self {
        self.namespaces.push((number, name.to_owned(), policy));
        self
    }
}
