//! [`Config`]: the options of a store and the policies of its namespaces, as a file has them.
//! What comes in: tables of any format that serde reads, and the limits and policies that it explains.
//! It knows no store that is open, and no log.

mod explained;
mod form;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::namespaces::check_name;
use crate::store::config::form::{
    Attempts, Auditing, Change, Comparing, Count, DiskSize, Excess, Form, Log, Promise, Raw, Size,
    Span, Switch, Window,
};
use crate::value::audit::AuditLevel;
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::{Durability, check_durability};
use crate::value::error::{Error, Result};
use crate::value::guarantee::Guarantee;
use crate::value::limits::Limits;
use crate::value::log_kind::LogKind;
use crate::value::policy::{OnChange, Oversize, Policy};

pub use crate::store::config::explained::{Explained, ExplainedOption, OptionSource};

/// The options of a store and the policies of its namespaces, as a file has them.
///
/// Durations are text as in `"500ms"`, `"60s"`, `"24h"`, `"7d"`; sizes are numbers of bytes, or
/// text as in `"256 MiB"`. A name that is not known is an error. Every option may be left out, but
/// for the guarantee of a namespace; `docs/configuration.md` has each with its default.
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
    /// How the store is opened.
    pub store: StoreConfig,
    /// Its limits.
    pub limits: LimitsConfig,
    /// Its namespaces, by name.
    pub namespaces: BTreeMap<String, PolicyConfig>,
}

/// A part of a configuration: each option with its form, and its meaning in one line.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                #[doc = $meaning:literal]
                $field:ident: $value:ty as $form:ty,
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[non_exhaustive]
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct $name {
            $(
                #[doc = $meaning]
                pub $field: Option<$value>,
            )*
        }

        impl $name {
            const OPTIONS: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Each option with what it is here and by default.
            fn explain(&self, by_default: &Self, tell: &mut dyn FnMut(explained::Told)) {
                $(
                    tell(explained::Told {
                        name: stringify!($field),
                        meaning: $meaning.trim(),
                        unit: <$form>::UNIT,
                        value: self.$field.as_ref().map(<$form>::write),
                        by_default: by_default.$field.as_ref().map(<$form>::write),
                    });
                )*
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(
                    if let Some(value) = &self.$field {
                        let written = Written(<$form>::write(value));
                        map.serialize_entry(stringify!($field), &written)?;
                    }
                )*
                map.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;

                impl<'de> Visitor<'de> for Reader {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a table of options")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(name) = map.next_key::<String>()? {
                            match &*name {
                                $(
                                    stringify!($field) => {
                                        if read.$field.is_some() {
                                            return Err(de::Error::duplicate_field(stringify!($field)));
                                        }
                                        let found = map.next_value_seed(Found)?;
                                        read.$field = Some(understand::<$form, A::Error>(&name, &found)?);
                                    }
                                )*
                                other => return Err(de::Error::unknown_field(other, $name::OPTIONS)),
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Reader)
            }
        }
    };
}

section! {
    /// How a store is opened: each option as the method of that name of [`Builder`](crate::Builder).
    pub struct StoreConfig {
        /// When a change counts as acknowledged: on the medium, or within a window.
        durability: Durability as Window,
        /// The kind of log of a new store; a store that is there must lie in it.
        log_kind: LogKind as Log,
        /// Makes the store if there is none.
        create: bool as Switch,
        /// How long to wait while another handle has the directory open.
        wait_for_lock: Duration as Span,
        /// How far the wall clock may be past the last time that the store saw.
        max_offline: Duration as Span,
        /// Believes the wall clock however far it is; `max_offline` does not count then.
        accept_clock_jump: bool as Switch,
        /// How long one write may take before the store gives up.
        write_deadline: Duration as Span,
        /// Parts of the key space with a lock of their own, rounded up to a power of two.
        shards: usize as Count,
        /// Changes not a byte on disk, and refuses every change.
        read_only: bool as Switch,
    }
}

section! {
    /// The limits of a store: each option as the method of that name of [`Limits`].
    pub struct LimitsConfig {
        /// Most bytes of a key, at most 1 KiB.
        key_bytes: usize as Size,
        /// Most bytes of the metadata of a claim, at most 16 KiB.
        metadata_bytes: usize as Size,
        /// Most bytes of the reason of a release or a doubt, at most 16 KiB.
        reason_bytes: usize as Size,
        /// Most items of a batch call, at most 65,536.
        batch_items: usize as Count,
        /// Most callers that wait for one key; a further one is answered at once.
        waiters_per_key: usize as Count,
        /// Most callers that wait in the whole store; a further one is answered at once.
        waiters: usize as Count,
        /// Most keys that run at the same time; over it new claims are refused.
        running_keys: usize as Count,
        /// Most keys that the store remembers; absent: no limit but memory.
        live_keys: usize as Count,
        /// Most bytes of changes that wait to be written; over it callers wait.
        unwritten_bytes: usize as Size,
        /// Free disk space under which new claims are refused, and holders can still complete.
        free_disk_bytes: u64 as DiskSize,
    }
}

section! {
    /// The policy of a namespace: each option as the method of that name of [`Policy`].
    pub struct PolicyConfig {
        /// What is promised when a holder dies: has to be named, as nothing changes it by itself.
        guarantee: Guarantee as Promise,
        /// How long a holder may be silent; shorter than every retention.
        lease: Duration as Span,
        /// How long a completion is remembered and answered, at most ten years.
        retention: Duration as Span,
        /// How long a final failure is remembered and answered; absent: as `retention`.
        failed_retention: Duration as Span,
        /// How long the attempts and the checkpoint of an unfinished key are kept.
        attempt_retention: Duration as Span,
        /// After this many attempts the next release or lapse is a final failure; absent: no limit.
        max_attempts: u32 as Attempts,
        /// Most bytes of a response or an error, at most 16 MiB.
        max_response: usize as Size,
        /// What happens to a response or error that is over `max_response`.
        oversize: Oversize as Excess,
        /// How the fingerprint of a claim counts.
        fingerprints: FingerprintPolicy as Comparing,
        /// What a settled key answers to a request with another fingerprint.
        on_change: OnChange as Change,
        /// The durability of this namespace, as much as the store's or more; absent: the store's.
        durability: Durability as Window,
        /// What is written into the audit log.
        audit: AuditLevel as Auditing,
        /// How long audit entries are kept, at most ten years.
        audit_retention: Duration as Span,
    }
}

/// A value on its way out.
struct Written(Raw);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Raw::Text(text) => serializer.serialize_str(text),
            Raw::Number(number) => serializer.serialize_u64(*number),
            Raw::Switch(switch) => serializer.serialize_bool(*switch),
        }
    }
}

/// Reads whatever stands there.
struct Found;

impl<'de> DeserializeSeed<'de> for Found {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Found {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, or true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Raw, E> {
        // One below zero is text that no form reads, so that the error names the option.
        Ok(u64::try_from(number).map_or_else(|_| Raw::Text(number.to_string()), Raw::Number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Text(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, switch: bool) -> Result<Raw, E> {
        Ok(Raw::Switch(switch))
    }
}

fn understand<F: Form, E: de::Error>(name: &str, raw: &Raw) -> Result<F::Value, E> {
    F::read(raw).ok_or_else(|| {
        let found = match raw {
            Raw::Text(text) => format!("{text:?}"),
            plain => plain.to_string(),
        };
        E::custom(format!("{name}: {found} is not {}", F::FORMS))
    })
}

impl Config {
    /// Refuses what contradicts itself, naming the part that does.
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
        let limits = self.limits.apply(Limits::default());
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

impl StoreConfig {
    /// Refuses what no store can be opened with.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(durability) = self.durability {
            check_durability(durability)?;
        }
        if self
            .shards
            .is_some_and(|shards| shards == 0 || shards > 1 << 16)
        {
            return Err(Error::invalid("the store needs 1 to 65,536 shards"));
        }
        let least = Duration::from_secs(1);
        if self.write_deadline.is_some_and(|deadline| deadline < least) {
            return Err(Error::invalid(
                "the write deadline is under a second: a busy disk may need longer",
            ));
        }
        Ok(())
    }
}

impl LimitsConfig {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            key_bytes: Some(limits.key_bytes),
            metadata_bytes: Some(limits.metadata_bytes),
            reason_bytes: Some(limits.reason_bytes),
            batch_items: Some(limits.batch_items),
            waiters_per_key: Some(limits.waiters_per_key),
            waiters: Some(limits.waiters),
            running_keys: Some(limits.running_keys),
            live_keys: Some(limits.live_keys).filter(|keys| *keys != usize::MAX),
            unwritten_bytes: Some(limits.unwritten_bytes),
            free_disk_bytes: Some(limits.free_disk_bytes),
        }
    }

    /// The limits, with those that are named here in place.
    pub(crate) fn apply(&self, limits: Limits) -> Limits {
        Limits {
            key_bytes: self.key_bytes.unwrap_or(limits.key_bytes),
            metadata_bytes: self.metadata_bytes.unwrap_or(limits.metadata_bytes),
            reason_bytes: self.reason_bytes.unwrap_or(limits.reason_bytes),
            batch_items: self.batch_items.unwrap_or(limits.batch_items),
            waiters_per_key: self.waiters_per_key.unwrap_or(limits.waiters_per_key),
            waiters: self.waiters.unwrap_or(limits.waiters),
            running_keys: self.running_keys.unwrap_or(limits.running_keys),
            live_keys: self.live_keys.unwrap_or(limits.live_keys),
            unwritten_bytes: self.unwritten_bytes.unwrap_or(limits.unwritten_bytes),
            free_disk_bytes: self.free_disk_bytes.unwrap_or(limits.free_disk_bytes),
        }
    }
}

impl PolicyConfig {
    /// The policy; an option that is not named has its default, whatever the store has stored.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for one that names no guarantee.
    pub fn policy(&self) -> Result<Policy> {
        let guarantee = self.guarantee.ok_or_else(|| {
            Error::invalid(format!(
                "the guarantee is missing, and is not chosen for you: say guarantee = {}",
                Promise::FORMS
            ))
        })?;
        let plain = match guarantee {
            Guarantee::AtLeastOnce => Policy::at_least_once(),
            Guarantee::AtMostOnce => Policy::at_most_once(),
        };
        Ok(Policy {
            lease: self.lease.unwrap_or(plain.lease),
            retention: self.retention.unwrap_or(plain.retention),
            failed_retention: self.failed_retention.or(plain.failed_retention),
            attempt_retention: self.attempt_retention.unwrap_or(plain.attempt_retention),
            max_attempts: self.max_attempts.or(plain.max_attempts),
            max_response_bytes: self.max_response.unwrap_or(plain.max_response_bytes),
            oversize: self.oversize.unwrap_or(plain.oversize),
            fingerprints: self.fingerprints.unwrap_or(plain.fingerprints),
            on_change: self.on_change.unwrap_or(plain.on_change),
            durability: self.durability.or(plain.durability),
            audit: self.audit.unwrap_or(plain.audit),
            audit_retention: self.audit_retention.unwrap_or(plain.audit_retention),
            ..plain
        })
    }
}

impl From<&Policy> for PolicyConfig {
    fn from(policy: &Policy) -> Self {
        Self {
            guarantee: Some(policy.guarantee),
            lease: Some(policy.lease),
            retention: Some(policy.retention),
            failed_retention: policy.failed_retention,
            attempt_retention: Some(policy.attempt_retention),
            max_attempts: policy.max_attempts,
            max_response: Some(policy.max_response_bytes),
            oversize: Some(policy.oversize),
            fingerprints: Some(policy.fingerprints),
            on_change: Some(policy.on_change),
            durability: policy.durability,
            audit: Some(policy.audit),
            audit_retention: Some(policy.audit_retention),
        }
    }
}
