//! [`Explained`]: the options in force, each with where it comes from and what it means.

use std::fmt;

use serde::Serialize;

use crate::store::config::sections::{LimitsConfig, PolicyConfig, StoreConfig, Told};
use crate::value::limits::Limits;
use crate::value::policy::Policy;

/// Where the value of an option comes from.
///
/// # Examples
///
/// ```
/// use hapax::config::OptionSource;
/// use hapax::{Limits, Store};
///
/// let store = Store::in_memory().limits(Limits::new().key_bytes(64)).open()?;
/// let explained = store.explain();
/// let key_bytes = explained.find("limits.key_bytes").expect("it is an option");
/// assert_eq!(key_bytes.source(), OptionSource::Set);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum OptionSource {
    /// It is the default, whether it was given or not.
    Default,
    /// The store was opened with another value than the default.
    Set,
    /// It is stored in the store, and differs from the default.
    Stored,
}

impl fmt::Display for OptionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Set => "set",
            Self::Stored => "stored",
        })
    }
}

/// One option in force.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let explained = Store::in_memory().open()?.explain();
/// for option in explained.options() {
///     println!("{}.{}: {:?}", option.section(), option.name(), option.value());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ExplainedOption {
    section: String,
    name: &'static str,
    value: Option<String>,
    by_default: Option<String>,
    source: OptionSource,
    unit: &'static str,
    meaning: &'static str,
}

impl ExplainedOption {
    /// The section of a [`Config`](crate::config::Config) that has it, such as `limits` or `namespaces.mail`.
    #[must_use]
    pub fn section(&self) -> &str {
        &self.section
    }

    /// Its name in the section.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// Its value, as a [`Config`](crate::config::Config) writes it, without quotes; `None` for one that is
    /// absent, which its meaning explains.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Its default, written as [`value`](Self::value) is.
    #[must_use]
    pub fn by_default(&self) -> Option<&str> {
        self.by_default.as_deref()
    }

    /// Where its value comes from.
    #[must_use]
    pub fn source(&self) -> OptionSource {
        self.source
    }

    /// Its unit: `duration`, `bytes`, `number`, `switch`, `word` or `durability`.
    #[must_use]
    pub fn unit(&self) -> &str {
        self.unit
    }

    /// Its meaning, in one line.
    #[must_use]
    pub fn meaning(&self) -> &str {
        self.meaning
    }
}

/// Every option in force: see [`Store::explain`](crate::Store::explain).
///
/// Its text is a table for people; for machines it serialises.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let explained = Store::in_memory().open()?.explain();
/// println!("{explained}");
/// assert!(explained.find("store.durability").is_some());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Explained {
    options: Vec<ExplainedOption>,
}

impl Explained {
    /// The options, section by section.
    #[must_use]
    pub fn options(&self) -> &[ExplainedOption] {
        &self.options
    }

    /// The option with this path, such as `limits.key_bytes` or `namespaces.mail.lease`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&ExplainedOption> {
        let (section, name) = path.rsplit_once('.')?;
        let mut options = self.options.iter();
        options.find(|option| option.section == section && option.name == name)
    }

    pub(crate) fn add_store(&mut self, store: &StoreConfig, by_default: &StoreConfig) {
        let mut heard = self.listen("store", OptionSource::Set);
        store.explain(by_default, &mut |told| {
            // Options that count only while a store is being opened are no longer in force.
            if !matches!(told.name, "create" | "wait_for_lock") {
                heard(told);
            }
        });
    }

    pub(crate) fn add_limits(&mut self, limits: &Limits) {
        let by_default = LimitsConfig::of(&Limits::default());
        LimitsConfig::of(limits)
            .explain(&by_default, &mut self.listen("limits", OptionSource::Set));
    }

    pub(crate) fn add_namespace(&mut self, name: &str, policy: &Policy) {
        let mut by_default = PolicyConfig::from(&Policy::at_least_once());
        // It is the one option without a default.
        by_default.guarantee = None;
        let section = format!("namespaces.{name}");
        let heard = &mut self.listen(&section, OptionSource::Stored);
        PolicyConfig::from(policy).explain(&by_default, heard);
    }

    fn listen(&mut self, section: &str, otherwise: OptionSource) -> impl FnMut(Told) {
        let section = section.to_owned();
        move |told| {
            let source = if told.value == told.by_default {
                OptionSource::Default
            } else if told.name == "log_kind" {
                OptionSource::Stored
            } else {
                otherwise
            };
            self.options.push(ExplainedOption {
                section: section.clone(),
                name: told.name,
                value: told.value.map(|raw| raw.to_string()),
                by_default: told.by_default.map(|raw| raw.to_string()),
                source,
                unit: told.unit,
                meaning: told.meaning,
            });
        }
    }
}

/// A table, with a heading for each section.
impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = None;
        for option in &self.options {
            if section != Some(&option.section) {
                let gap = if section.is_some() { "\n" } else { "" };
                writeln!(f, "{gap}[{}]", option.section.escape_debug())?;
                section = Some(&option.section);
            }
            let value = option.value().unwrap_or("-");
            writeln!(
                f,
                "{:<18} {value:<14} {:<8} {}",
                option.name, option.source, option.meaning
            )?;
        }
        Ok(())
    }
}
