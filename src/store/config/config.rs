//! [`Config`]: the options of a store and the policies of its namespaces, as a file has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::namespaces::check_name;
use crate::store::config::sections::{LimitsConfig, PolicyConfig, StoreConfig};
use crate::value::durability::Durability;
use crate::value::error::{Error, Result};
use crate::value::limits::Limits;

/// The options of a store and the policies of its namespaces, as a file has them.
///
/// Durations are text as in `"500ms"`, `"60s"`, `"24h"`, `"7d"`; sizes are numbers of bytes, or text as in
/// `"256 MiB"`. A name that is not known is an error. Every option may be left out, except the guarantee of a
/// namespace; [the guide](crate::guide::configuration) lists each with
/// its default.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::config::Config;
///
/// let config: Config = serde_json::from_str(
///     r#"{
///         "limits": { "free_disk_bytes": "1 GiB" },
///         "namespaces": { "mail": { "guarantee": "at-least-once", "retention": "7d" } }
///     }"#,
/// )?;
/// config.check()?;
/// let store = Store::in_memory().config(&config).open()?;
/// let mail = &store.configure(&config)?["mail"];
/// assert!(mail.insert("user-7")?);
/// println!("{}", store.explain());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The options with which the store is opened.
    pub store: StoreConfig,
    /// Its limits.
    pub limits: LimitsConfig,
    /// Its namespaces, by name.
    pub namespaces: BTreeMap<String, PolicyConfig>,
}

impl Config {
    /// Refuses options that contradict each other, and names them.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn check(&self) -> Result<()> {
        self.store
            .check()
            .map_err(|error| within("store", &error))?;
        self.check_under(self.store.durability.unwrap_or(Durability::Sync))
    }

    /// As [`check`](Self::check), for a store that is open under this durability.
    pub(crate) fn check_under(&self, durability: Durability) -> Result<()> {
        let mut limits = Limits::default();
        self.limits.put_into(&mut limits);
        limits.check().map_err(|error| within("limits", &error))?;
        for (name, space) in &self.namespaces {
            let place = format!("namespaces.{name}");
            let checked = check_name(name).and_then(|()| space.policy());
            let checked = checked.and_then(|policy| policy.check(durability));
            checked.map_err(|error| within(&place, &error))?;
        }
        Ok(())
    }
}

/// The error, and which part of a configuration it is of.
fn within(place: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("[{place}] {error}"))
}
