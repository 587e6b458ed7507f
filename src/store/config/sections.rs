//! The sections of a configuration: each option is declared once, and read, written and explained from that.

use std::fmt;
use std::time::Duration;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::options::{EngineOptions, MAX_OFFLINE};
use crate::store::config::form::{
    Attempts, Auditing, Change, Comparing, Count, DiskSize, Excess, Form, Log, Promise, Size, Span,
    Switch, Window, understand,
};
use crate::store::config::raw::Raw;
use crate::value::audit::AuditLevel;
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::{Durability, check_durability};
use crate::value::error::{Error, Result};
use crate::value::guarantee::Guarantee;
use crate::value::limits::Limits;
use crate::value::log_kind::LogKind;
use crate::value::policy::{OnChange, Oversize, Policy};

/// An option of a section, as it is explained.
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: Option<Raw>,
    pub(super) by_default: Option<Raw>,
}

/// How a policy or the limits keep an option: always, or only if it was chosen.
trait Keeps<T> {
    fn option(&self) -> Option<T>;

    /// Takes the option over if it is named; otherwise the kept value stays.
    fn put(&mut self, option: Option<T>);
}

impl<T: Copy> Keeps<T> for T {
    fn option(&self) -> Option<T> {
        Some(*self)
    }

    fn put(&mut self, option: Option<T>) {
        *self = option.unwrap_or(*self);
    }
}

impl<T: Copy> Keeps<T> for Option<T> {
    fn option(&self) -> Option<T> {
        *self
    }

    fn put(&mut self, option: Option<T>) {
        *self = option.or(*self);
    }
}

/// A store that accepts any jump of the clock keeps no limit to it.
impl Keeps<bool> for Option<Duration> {
    fn option(&self) -> Option<bool> {
        Some(self.is_none())
    }

    fn put(&mut self, option: Option<bool>) {
        match option {
            Some(true) => *self = None,
            Some(false) => *self = self.or(Some(MAX_OFFLINE)),
            None => {}
        }
    }
}

/// Declares a section: each option with its form, its meaning in one line, and the field that keeps it
/// where a value of the library does.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident of $of:ident {
            $(
                #[doc = $meaning:literal]
                $field:ident: $value:ty as $form:ty => $kept:ident,
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
            pub(super) const OPTIONS: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Every option with the kept value.
            pub(crate) fn kept_by(of: &$of) -> Self {
                Self {
                    $($field: Keeps::<$value>::option(&of.$kept),)*
                }
            }

            /// Sets the options that are named here; the others stay as they are.
            pub(crate) fn put_into(&self, of: &mut $of) {
                $(Keeps::<$value>::put(&mut of.$kept, self.$field);)*
            }

            /// Each option with its value here and its default.
            pub(super) fn explain(
                &self,
                by_default: &Self,
                tell: &mut dyn FnMut(Told),
            ) {
                $(
                    tell(Told {
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
                        map.serialize_entry(stringify!($field), &<$form>::write(value))?;
                    }
                )*
                map.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct SectionReader;

                impl<'de> Visitor<'de> for SectionReader {
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
                                        let found: Raw = map.next_value()?;
                                        read.$field = Some(understand::<$form, A::Error>(&name, &found)?);
                                    }
                                )*
                                other => return Err(de::Error::unknown_field(other, $name::OPTIONS)),
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(SectionReader)
            }
        }
    };
}

section! {
    /// The options with which a store is opened: each is the method of that name of
    /// [`Builder`](crate::Builder).
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::config::Config;
    ///
    /// let text = r#"{ "store": { "durability": "50ms", "max_offline": "7d" } }"#;
    /// let config: Config = serde_json::from_str(text)?;
    /// config.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct StoreConfig of EngineOptions {
        /// When a change counts as acknowledged: on the medium, or within a window.
        durability: Durability as Window => durability,
        /// The kind of log of a new store; a store that is there must lie in it.
        log_kind: LogKind as Log => log_kind,
        /// Makes the store if the directory has none.
        create: bool as Switch => create,
        /// How long to wait while another handle has the directory open.
        wait_for_lock: Duration as Span => wait_for_lock,
        /// How far the wall clock may be past the last time that the store saw.
        max_offline: Duration as Span => max_offline,
        /// Believes the wall clock however far it is; `max_offline` does not count then.
        accept_clock_jump: bool as Switch => max_offline,
        /// How long one write may take before the store gives up.
        write_deadline: Duration as Span => write_deadline,
        /// Parts of the key space with a lock of their own, rounded up to a power of two.
        shards: usize as Count => shards,
        /// Changes not a byte on disk, and refuses every change.
        read_only: bool as Switch => read_only,
    }
}

impl StoreConfig {
    /// Refuses options that no store can be opened with.
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

section! {
    /// The limits of a store: each is the method of that name of [`Limits`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::config::Config;
    ///
    /// let text = r#"{ "limits": { "key_bytes": 64, "free_disk_bytes": "1 GiB" } }"#;
    /// let config: Config = serde_json::from_str(text)?;
    /// config.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct LimitsConfig of Limits {
        /// Most bytes of a key, at most 1 KiB.
        key_bytes: usize as Size => key_bytes,
        /// Most bytes of the metadata of a claim, at most 16 KiB.
        metadata_bytes: usize as Size => metadata_bytes,
        /// Most bytes of the reason of a release or a doubt, at most 16 KiB.
        reason_bytes: usize as Size => reason_bytes,
        /// Most items of a batch call, at most 65,536.
        batch_items: usize as Count => batch_items,
        /// Most callers that wait for one key; a further one is answered at once.
        waiters_per_key: usize as Count => waiters_per_key,
        /// Most callers that wait in the whole store; a further one is answered at once.
        waiters: usize as Count => waiters,
        /// Most keys that run at the same time; over it new claims are refused.
        running_keys: usize as Count => running_keys,
        /// Most keys that the store remembers; absent: no limit but memory.
        live_keys: usize as Count => live_keys,
        /// Most bytes of changes that wait to be written; over it callers wait.
        unwritten_bytes: usize as Size => unwritten_bytes,
        /// Free disk space under which new claims are refused, and holders can still complete.
        free_disk_bytes: u64 as DiskSize => free_disk_bytes,
    }
}

impl LimitsConfig {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            live_keys: Some(limits.live_keys).filter(|keys| *keys != usize::MAX),
            ..Self::kept_by(limits)
        }
    }
}

section! {
    /// The policy of a namespace: each is the method of that name of [`Policy`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::config::Config;
    ///
    /// let text = r#"{ "namespaces": { "mail": { "guarantee": "at-most-once", "lease": "30s" } } }"#;
    /// let config: Config = serde_json::from_str(text)?;
    /// config.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct PolicyConfig of Policy {
        /// What is promised when a holder dies: has to be named, as nothing changes it by itself.
        guarantee: Guarantee as Promise => guarantee,
        /// How long a holder may be silent; shorter than every retention.
        lease: Duration as Span => lease,
        /// How long a completion is remembered and answered, at most ten years.
        retention: Duration as Span => retention,
        /// How long a final failure is remembered and answered; absent: as `retention`.
        failed_retention: Duration as Span => failed_retention,
        /// How long the attempts and the checkpoint of an unfinished key are kept.
        attempt_retention: Duration as Span => attempt_retention,
        /// After this many attempts the next release or lapse is a final failure; absent: no limit.
        max_attempts: u32 as Attempts => max_attempts,
        /// Most bytes of a response or an error, at most 16 MiB.
        max_response: usize as Size => max_response_bytes,
        /// What happens to a response or error that is over `max_response`.
        oversize: Oversize as Excess => oversize,
        /// How the fingerprint of a claim counts.
        fingerprints: FingerprintPolicy as Comparing => fingerprints,
        /// What a settled key answers to a request with another fingerprint.
        on_change: OnChange as Change => on_change,
        /// The durability of this namespace, as much as the store's or more; absent: the store's.
        durability: Durability as Window => durability,
        /// What is written into the audit log.
        audit: AuditLevel as Auditing => audit,
        /// How long audit entries are kept, at most ten years.
        audit_retention: Duration as Span => audit_retention,
    }
}

impl PolicyConfig {
    /// The policy; an option that is not named has its default, not the stored value.
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
        let mut policy = match guarantee {
            Guarantee::AtLeastOnce => Policy::at_least_once(),
            Guarantee::AtMostOnce => Policy::at_most_once(),
        };
        self.put_into(&mut policy);
        Ok(policy)
    }
}

impl From<&Policy> for PolicyConfig {
    fn from(policy: &Policy) -> Self {
        Self::kept_by(policy)
    }
}
