//! The forms in which options are written: `"24h"`, `"256 MiB"`, `"at-least-once"`.
//!
//! Each form reads what it writes, and nothing else: no signs, no fractions, no other spelling.

use std::time::Duration;

use crate::store::config::raw::Raw;
use crate::value::audit::AuditLevel;
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::Durability;
use crate::value::guarantee::Guarantee;
use crate::value::log_kind::LogKind;
use crate::value::policy::{OnChange, Oversize};

/// A way to write a value.
pub(super) trait Form {
    type Value;

    /// The accepted forms, for the error about any other.
    const FORMS: &'static str;

    /// The unit of the value, in one word.
    const UNIT: &'static str;

    fn read(raw: &Raw) -> Option<Self::Value>;

    fn write(value: &Self::Value) -> Raw;
}

/// Reads an option of this name, or returns an error with the accepted forms.
pub(super) fn understand<F: Form, E: serde::de::Error>(
    name: &str,
    raw: &Raw,
) -> Result<F::Value, E> {
    F::read(raw).ok_or_else(|| {
        let found = match raw {
            Raw::Text(text) => format!("{text:?}"),
            plain => plain.to_string(),
        };
        E::custom(format!("{name}: {found} is not {}", F::FORMS))
    })
}

/// A duration: a whole number and its unit.
pub(super) struct Span;

const SPANS: [(&str, u128); 7] = [
    ("d", 24 * 3600 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

impl Form for Span {
    type Value = Duration;

    const FORMS: &'static str = "a duration: a whole number and ns, us, ms, s, m, h or d, as in \"500ms\", \"60s\", \"24h\", \"7d\"";
    const UNIT: &'static str = "duration";

    fn read(raw: &Raw) -> Option<Duration> {
        let Raw::Text(text) = raw else { return None };
        let (number, unit) = split(text)?;
        let (_, nanos) = SPANS.iter().find(|(name, _)| *name == unit)?;
        let nanos = u128::from(number).checked_mul(*nanos)?;
        let secs = u64::try_from(nanos / 1_000_000_000).ok()?;
        let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
        Some(Duration::new(secs, rest))
    }

    fn write(value: &Duration) -> Raw {
        let nanos = value.as_nanos();
        let fits = |unit: &&(&str, u128)| nanos % unit.1 == 0 && nanos > 0;
        let unit = SPANS.iter().find(fits).unwrap_or(&SPANS[3]);
        Raw::Text(format!("{}{}", nanos / unit.1, unit.0))
    }
}

/// A number of bytes, as a number or with a unit of 1024s.
pub(super) struct Size;

const SIZES: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

fn read_size(raw: &Raw) -> Option<u64> {
    let text = match raw {
        Raw::Number(bytes) => return Some(*bytes),
        Raw::Switch(_) => return None,
        Raw::Text(text) => text,
    };
    let (number, unit) = split(text)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*bytes)
}

fn write_size(bytes: u64) -> Raw {
    let fits = |unit: &&(&str, u64)| bytes % unit.1 == 0 && bytes > 0;
    match SIZES.iter().find(fits) {
        Some((unit, each)) => Raw::Text(format!("{} {unit}", bytes / each)),
        None => Raw::Number(bytes),
    }
}

impl Form for Size {
    type Value = usize;

    const FORMS: &'static str =
        "a number of bytes, or a whole number and B, KiB, MiB, GiB or TiB, as in \"256 MiB\"";
    const UNIT: &'static str = "bytes";

    fn read(raw: &Raw) -> Option<usize> {
        read_size(raw).and_then(|bytes| usize::try_from(bytes).ok())
    }

    fn write(value: &usize) -> Raw {
        write_size(u64::try_from(*value).unwrap_or(u64::MAX))
    }
}

/// As [`Size`], of a disk.
pub(super) struct DiskSize;

impl Form for DiskSize {
    type Value = u64;

    const FORMS: &'static str = Size::FORMS;
    const UNIT: &'static str = Size::UNIT;

    fn read(raw: &Raw) -> Option<u64> {
        read_size(raw)
    }

    fn write(value: &u64) -> Raw {
        write_size(*value)
    }
}

/// A whole number.
pub(super) struct Count;

impl Form for Count {
    type Value = usize;

    const FORMS: &'static str = "a whole number, without quotes";
    const UNIT: &'static str = "number";

    fn read(raw: &Raw) -> Option<usize> {
        match raw {
            Raw::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    fn write(value: &usize) -> Raw {
        Raw::Number(u64::try_from(*value).unwrap_or(u64::MAX))
    }
}

/// As [`Count`], of attempts.
pub(super) struct Attempts;

impl Form for Attempts {
    type Value = u32;

    const FORMS: &'static str = Count::FORMS;
    const UNIT: &'static str = Count::UNIT;

    fn read(raw: &Raw) -> Option<u32> {
        Count::read(raw).and_then(|number| u32::try_from(number).ok())
    }

    fn write(value: &u32) -> Raw {
        Raw::Number(u64::from(*value))
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Form for Switch {
    type Value = bool;

    const FORMS: &'static str = "true or false, without quotes";
    const UNIT: &'static str = "switch";

    fn read(raw: &Raw) -> Option<bool> {
        match raw {
            Raw::Switch(switch) => Some(*switch),
            _ => None,
        }
    }

    fn write(value: &bool) -> Raw {
        Raw::Switch(*value)
    }
}

/// When a change counts as acknowledged: a word, or the window.
pub(super) struct Window;

impl Form for Window {
    type Value = Durability;

    const FORMS: &'static str =
        "\"sync\", or the window of an interval as a duration, as in \"5ms\" or \"1s\"";
    const UNIT: &'static str = "durability";

    fn read(raw: &Raw) -> Option<Durability> {
        match raw {
            Raw::Text(text) if text == "sync" => Some(Durability::Sync),
            _ => Span::read(raw).map(Durability::Interval),
        }
    }

    fn write(value: &Durability) -> Raw {
        match value {
            Durability::Sync => Raw::Text("sync".to_owned()),
            Durability::Interval(window) => Span::write(window),
        }
    }
}

/// One of a few words.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $form:ident: $value:ident, $forms:literal, { $($word:literal => $name:ident,)* })*) => {$(
        $(#[doc = $doc])*
        pub(super) struct $form;

        impl Form for $form {
            type Value = $value;

            const FORMS: &'static str = $forms;
            const UNIT: &'static str = "word";

            fn read(raw: &Raw) -> Option<$value> {
                match raw {
                    $(Raw::Text(word) if word == $word => Some($value::$name),)*
                    _ => None,
                }
            }

            fn write(value: &$value) -> Raw {
                let word = match value {
                    $($value::$name => $word,)*
                };
                Raw::Text(word.to_owned())
            }
        }
    )*};
}

words! {
    /// What a namespace promises.
    Promise: Guarantee, "\"at-least-once\" or \"at-most-once\"", {
        "at-least-once" => AtLeastOnce,
        "at-most-once" => AtMostOnce,
    }
    /// What goes into the audit log.
    Auditing: AuditLevel, "\"off\", \"digests\" or \"keys\"", {
        "off" => Off,
        "digests" => Digests,
        "keys" => Keys,
    }
    /// How fingerprints count.
    Comparing: FingerprintPolicy, "\"required\", \"optional\" or \"ignored\"", {
        "required" => Required,
        "optional" => Optional,
        "ignored" => Ignored,
    }
    /// What another fingerprint leads to.
    Change: OnChange, "\"refuse\" or \"rerun\"", {
        "refuse" => Refuse,
        "rerun" => Rerun,
    }
    /// The treatment of an outcome that is too large.
    Excess: Oversize, "\"refuse\" or \"outcome-only\"", {
        "refuse" => Refuse,
        "outcome-only" => OutcomeOnly,
    }
    /// Which log a new store gets.
    Log: LogKind, "\"sled\" or \"files\"", {
        "sled" => Sled,
        "files" => Files,
    }
}

/// A whole number, and what follows it. A zero in front of other digits does not count as one.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok()?, rest))
}
