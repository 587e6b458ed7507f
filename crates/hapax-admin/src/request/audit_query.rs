//! [`AuditQuery`]: the entries of the audit log that a request asks for.

use std::str::FromStr;

use hapax::audit::{AuditEntry, Origin, Transition};
use hapax::{KeyDigest, Store};

use crate::answer::problem::Problem;
use crate::notation::seconds::secs;
use crate::request::members::{ROWS, members, rows, seconds, text, truth};

const KNOWN: &[&str] = &[
    "namespace",
    "key",
    "digest",
    "transition",
    "operators",
    "older_than",
    "newer_than",
    "limit",
];

/// Which entries, and how many.
#[derive(Default)]
pub(crate) struct AuditQuery {
    namespace: Option<String>,
    key: Option<Vec<u8>>,
    digest: Option<KeyDigest>,
    transitions: Vec<Transition>,
    of_operators: bool,
    older_than_secs: Option<u64>,
    newer_than_secs: Option<u64>,
    pub(crate) rows: usize,
}

impl AuditQuery {
    pub(crate) fn parse(query: Option<&str>, rows_max: usize) -> Result<Self, Problem> {
        let mut asked = Self {
            rows: ROWS.min(rows_max),
            ..Self::default()
        };
        let members = members(query, KNOWN)?;
        let has = |name| members.iter().any(|(member, _)| *member == name);
        if has("key") && !has("namespace") {
            return Err(Problem::invalid(
                "key needs namespace, because a key exists in each namespace by itself",
            ));
        }
        for (name, bytes) in members {
            asked.set(name, bytes, rows_max)?;
        }
        Ok(asked)
    }

    fn set(&mut self, name: &str, bytes: Vec<u8>, rows_max: usize) -> Result<(), Problem> {
        if name == "key" {
            self.key = Some(bytes);
            return Ok(());
        }
        let text = text(name, bytes)?;
        match name {
            "namespace" => self.namespace = Some(text),
            "digest" => self.digest = Some(KeyDigest::from_str(&text)?),
            "transition" => self.transitions.push(Transition::from_str(&text)?),
            "operators" => self.of_operators = truth(name, &text)?,
            "older_than" => self.older_than_secs = Some(seconds(name, &text)?),
            "newer_than" => self.newer_than_secs = Some(seconds(name, &text)?),
            _ => self.rows = rows(&text, rows_max)?,
        }
        Ok(())
    }

    /// The digest of the key that the query names. Refuses a namespace that does not exist.
    pub(crate) fn key_digest(&self, store: &Store) -> Result<Option<KeyDigest>, Problem> {
        let Some(name) = &self.namespace else {
            return Ok(None);
        };
        let namespace = store.open_namespace(name)?;
        Ok(self.key.as_ref().map(|key| namespace.key_digest(key)))
    }

    pub(crate) fn passes(
        &self,
        entry: &AuditEntry,
        key: Option<KeyDigest>,
        store_secs: u64,
    ) -> bool {
        let (digest, age_secs) = (
            entry.key_digest(),
            store_secs.saturating_sub(secs(entry.at())),
        );
        let of_namespace = |name: &String| entry.namespace() == Some(name.as_str());
        self.namespace.as_ref().is_none_or(of_namespace)
            && key.is_none_or(|key| digest == Some(key))
            && self.digest.is_none_or(|only| digest == Some(only))
            && (self.transitions.is_empty() || self.transitions.contains(&entry.transition()))
            && (!self.of_operators || entry.origin() == Origin::Operator)
            && self.older_than_secs.is_none_or(|least| age_secs >= least)
            && self.newer_than_secs.is_none_or(|most| age_secs < most)
    }
}
