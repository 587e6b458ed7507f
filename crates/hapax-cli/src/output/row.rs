//! [`Row`]: a result of a verb, as cells for people and as JSON for machines.

use std::time::SystemTime;

use hapax::KeyState;
use hapax_http_types::KeyParts;
use serde_json::Value;

use crate::notation::{escaped, json_line, key_text, size, time};

/// One value of a row, in both forms.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// `None` if only JSON has the field.
    pub(crate) cell: Option<String>,
    /// `None` if only the table has the field.
    pub(crate) json: Option<Value>,
    pub(crate) right: bool,
}

impl Field {
    /// The name without its unit, which the cell shows.
    pub(crate) fn label(&self) -> String {
        let name = self.name;
        let plain = ["_secs", "_bytes", "_at", "_ns"]
            .iter()
            .find_map(|unit| name.strip_suffix(unit))
            .unwrap_or(name);
        plain.replace('_', " ")
    }
}

/// The parts of a key of the HTTP layer; null for any other key.
fn key_parts(key: &[u8]) -> Value {
    KeyParts::of(key).map_or(Value::Null, |parts| {
        let members = [
            ("tenant", parts.scope()),
            ("operation", parts.operation()),
            ("client_key", parts.client_key()),
        ];
        let members = members.map(|(name, part)| (name.to_owned(), Value::from(part)));
        Value::Object(members.into_iter().collect())
    })
}

/// The fields of one result; all rows of a list have the same fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) fields: Vec<Field>,
}

/// The most characters of a reason or of metadata in a table.
const CELL_CHARS_MAX: usize = 60;

impl Row {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The row as an object inside another one.
    pub(crate) fn value(&self) -> Value {
        let fields = self.fields.iter();
        fields
            .filter_map(|field| Some((field.name.to_owned(), field.json.clone()?)))
            .collect()
    }

    /// The row as an object on one line.
    pub(crate) fn json(&self) -> String {
        let fields: Vec<(&str, Value)> = self
            .fields
            .iter()
            .filter_map(|field| Some((field.name, field.json.clone()?)))
            .collect();
        json_line::object(&fields)
    }

    fn with(
        mut self,
        name: &'static str,
        cell: Option<String>,
        json: Option<Value>,
        right: bool,
    ) -> Self {
        self.fields.push(Field {
            name,
            cell,
            json,
            right,
        });
        self
    }

    pub(crate) fn text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Some(escaped::line(text)), Some(text.into()), false)
    }

    pub(crate) fn optional_text(self, name: &'static str, text: Option<&str>) -> Self {
        let cell = text.map_or("-".to_owned(), escaped::line);
        self.with(name, Some(cell), Some(text.into()), false)
    }

    pub(crate) fn number(self, name: &'static str, number: u64) -> Self {
        self.with(name, Some(number.to_string()), Some(number.into()), true)
    }

    pub(crate) fn optional_number(self, name: &'static str, number: Option<u64>) -> Self {
        let cell = number.map_or("-".to_owned(), |number| number.to_string());
        self.with(name, Some(cell), Some(number.into()), true)
    }

    /// A flag, shown as yes or no.
    pub(crate) fn flag(self, name: &'static str, flag: bool) -> Self {
        let cell = if flag { "yes" } else { "no" };
        self.with(name, Some(cell.to_owned()), Some(flag.into()), false)
    }

    /// A number of bytes.
    pub(crate) fn size(self, name: &'static str, bytes: u64) -> Self {
        self.with(name, Some(size::size(bytes)), Some(bytes.into()), true)
    }

    /// A span in seconds.
    pub(crate) fn span(self, name: &'static str, secs: u64) -> Self {
        self.with(name, Some(time::rough_secs(secs)), Some(secs.into()), true)
    }

    /// The duration of a call, in nanoseconds.
    pub(crate) fn latency(self, name: &'static str, nanos: Option<u64>) -> Self {
        let cell = nanos.map_or("-".to_owned(), time::latency);
        self.with(name, Some(cell), Some(nanos.into()), true)
    }

    /// A moment of store time; `None` is shown as "never".
    pub(crate) fn moment(self, name: &'static str, moment: Option<SystemTime>) -> Self {
        let text = moment.map(time::moment);
        let cell = text.clone().unwrap_or_else(|| "never".to_owned());
        self.with(name, Some(cell), Some(text.into()), false)
    }

    /// A key: as text that the command line takes, in hexadecimal, and in parts.
    pub(crate) fn key(self, key: &[u8], hex: bool) -> Self {
        self.bare_key(key, hex)
            .only_json("key_parts", key_parts(key))
    }

    /// As [`key`](Self::key), without the parts, for files that are read again.
    pub(crate) fn bare_key(self, key: &[u8], hex: bool) -> Self {
        let text = std::str::from_utf8(key).ok();
        let cell = key_text::key(key, hex);
        self.with("key", Some(cell), Some(text.into()), false)
            .only_json("key_hex", key_text::hex(key))
    }

    pub(crate) fn state(self, state: KeyState) -> Self {
        self.named_state("state", Some(state))
    }

    /// A state under a name of its own; `None` is shown as absent.
    pub(crate) fn named_state(self, name: &'static str, state: Option<KeyState>) -> Self {
        let cell = state.map_or("absent".to_owned(), |state| state.to_string());
        let json = cell.replace(' ', "_");
        self.with(name, Some(cell), Some(json.into()), false)
    }

    /// A few words, joined to one word in JSON.
    pub(crate) fn words(self, name: &'static str, words: Option<&str>) -> Self {
        let cell = words.unwrap_or("-").to_owned();
        let json = words.map(|words| words.replace(' ', "_"));
        self.with(name, Some(cell), Some(json.into()), false)
    }

    /// Bytes: in JSON under `name` if they are text, else under `base64`.
    pub(crate) fn bytes(self, name: &'static str, base64: &'static str, bytes: &[u8]) -> Self {
        let cell = escaped::cut(bytes, CELL_CHARS_MAX);
        self.with(name, Some(cell), None, false)
            .json_bytes(name, base64, bytes)
    }

    /// As [`bytes`](Self::bytes), in JSON only.
    pub(crate) fn json_bytes(self, name: &'static str, base64: &'static str, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.only_json(name, text),
            Err(_) => self
                .only_json(name, Value::Null)
                .only_json(base64, data_encoding::BASE64.encode(bytes)),
        }
    }

    pub(crate) fn only_json(self, name: &'static str, json: impl Into<Value>) -> Self {
        self.with(name, None, Some(json.into()), false)
    }

    pub(crate) fn only_table(self, name: &'static str, cell: impl Into<String>) -> Self {
        self.with(name, Some(escaped::line(&cell.into())), None, false)
    }
}
