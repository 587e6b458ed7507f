//! [`Raw`]: a value of a configuration, in the types of its file.

use std::fmt::{self, Display, Formatter};

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One value, before it is read as an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Raw {
    Text(String),
    Number(u64),
    Switch(bool),
}

impl Display for Raw {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Switch(switch) => switch.fmt(f),
        }
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Switch(switch) => serializer.serialize_bool(*switch),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawReader)
    }
}

/// Reads a value of any type.
struct RawReader;

impl Visitor<'_> for RawReader {
    type Value = Raw;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, or true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Raw, E> {
        // A number below zero becomes text that no form reads, so that the error names the option.
        Ok(u64::try_from(number).map_or_else(|_| Raw::Text(number.to_string()), Raw::Number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Text(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, switch: bool) -> Result<Raw, E> {
        Ok(Raw::Switch(switch))
    }
}
