//! [`ExportLine`]: a line of an export, with the members that an import uses.

use std::time::Duration;

use hapax::operator::Insertion;
use hapax::{KeyInfo, KeyState, Policy};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::input::json_member::{either, fault, key};
use crate::notation::time;

/// A line of the file.
#[derive(Debug)]
pub(crate) enum ExportLine {
    Export {
        version: u64,
    },
    Namespace {
        name: String,
        policy: Policy,
    },
    Key(Box<KeyLine>),
    /// The end line: no line is missing before it.
    End(EndMembers),
}

/// The members of the end line.
#[derive(Debug, Deserialize)]
pub(crate) struct EndMembers {
    pub(crate) lines: u64,
    pub(crate) xxh3: String,
}

/// A key to import.
#[derive(Debug)]
pub(crate) struct KeyLine {
    pub(crate) line: u64,
    pub(crate) namespace: String,
    pub(crate) key: Vec<u8>,
    pub(crate) state: KeyState,
    /// In seconds since 1970; `None` means never.
    pub(crate) expires_at: Option<u64>,
    pub(crate) reason: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// The members of a key that an import uses; the others are for people.
#[derive(Debug, Deserialize)]
struct KeyMembers {
    namespace: String,
    key: Option<String>,
    key_hex: Option<String>,
    state: String,
    expires_at: Option<String>,
    reason: Option<String>,
    reason_base64: Option<String>,
    metadata: Option<String>,
    metadata_base64: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NamespaceMembers {
    namespace: String,
    policy: Map<String, Value>,
}

impl ExportLine {
    pub(crate) fn parse(line: u64, json: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(json).map_err(|error| fault(&error))?;
        let kind = value
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match kind {
            "export" => {
                let version = value.get("version").and_then(Value::as_u64);
                Ok(Self::Export {
                    version: version.ok_or("the export has no version")?,
                })
            }
            "namespace" => {
                let members: NamespaceMembers =
                    serde_json::from_value(value).map_err(|error| fault(&error))?;
                Ok(Self::Namespace {
                    name: members.namespace,
                    policy: policy(members.policy)?,
                })
            }
            "key" => {
                let members: KeyMembers =
                    serde_json::from_value(value).map_err(|error| fault(&error))?;
                Ok(Self::Key(Box::new(members.into_key(line)?)))
            }
            "end" => {
                let members: EndMembers =
                    serde_json::from_value(value).map_err(|error| fault(&error))?;
                Ok(Self::End(members))
            }
            _ => Err("the type must be export, namespace, key or end".to_owned()),
        }
    }
}

/// A policy. A file from an older version may lack knobs, which get their defaults.
fn policy(knobs: Map<String, Value>) -> Result<Policy, String> {
    if !knobs.contains_key("guarantee") {
        return Err("the policy has no guarantee".to_owned());
    }
    let defaults = serde_json::to_value(Policy::at_least_once());
    let mut whole = defaults.map_err(|error| fault(&error))?;
    for (name, value) in knobs {
        let knob = whole.get_mut(&name);
        *knob.ok_or_else(|| {
            format!("the policy has an unknown knob {name}: use a newer `hapax`")
        })? = value;
    }
    serde_json::from_value(whole).map_err(|error| format!("the policy: {error}"))
}

impl KeyMembers {
    fn into_key(self, line: u64) -> Result<KeyLine, String> {
        let bytes = |text: Option<String>, base64: Option<String>| {
            either(text.as_deref(), base64.as_deref()).map(Option::unwrap_or_default)
        };
        let expires_at = self.expires_at.as_deref().map(time::parse_moment);
        Ok(KeyLine {
            line,
            key: key(self.key.as_deref(), self.key_hex.as_deref())?,
            state: state(&self.state)?,
            namespace: self.namespace,
            expires_at: expires_at.transpose()?.map(time::secs),
            reason: bytes(self.reason, self.reason_base64)?,
            metadata: bytes(self.metadata, self.metadata_base64)?,
            body: bytes(self.body, self.body_base64)?,
        })
    }
}

fn state(name: &str) -> Result<KeyState, String> {
    Ok(match name {
        "completed" => KeyState::Completed,
        "failed" => KeyState::Failed,
        "in_doubt" => KeyState::InDoubt,
        "released" => KeyState::Released,
        // Its holder does not hold it in this store.
        "in_progress" => KeyState::InDoubt,
        _ => return Err(format!("there is no state {name:?}")),
    })
}

impl KeyLine {
    pub(crate) fn is_expired(&self, now_secs: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now_secs)
    }

    /// The insertion of the key. An outcome keeps its expiry.
    pub(crate) fn insertion(&self, now_secs: u64) -> Insertion {
        let (key, body, reason) = (&self.key, self.body.clone(), self.reason.clone());
        let insertion = match self.state {
            KeyState::Completed => Insertion::completed(key, body),
            KeyState::Failed => Insertion::failed(key, body),
            KeyState::Released => Insertion::released(key, reason).checkpoint(body),
            _ => Insertion::in_doubt(key, reason).checkpoint(body),
        };
        let insertion = insertion.metadata(self.metadata.clone());
        let has_outcome = matches!(self.state, KeyState::Completed | KeyState::Failed);
        match self.expires_at.filter(|_| has_outcome) {
            Some(at) => insertion.retention(Duration::from_secs(at.saturating_sub(now_secs))),
            None => insertion,
        }
    }

    /// Whether the key in the store equals the key in the file.
    pub(crate) fn is_same(&self, there: &KeyInfo) -> bool {
        self.state == there.state()
            && self.reason == there.reason()
            && self.metadata == there.metadata()
            && self.body == there.body()
    }
}
