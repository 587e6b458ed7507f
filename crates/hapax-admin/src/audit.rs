//! What is read of the audit log.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use hapax::{AuditEntry, AuditFilter, KeyDigest, Origin, Store, Transition};
use serde::Serialize;

use crate::gate::Stop;
use crate::problem::Problem;
use crate::query::{ROWS, members, rows, seconds, text, truth};
use crate::reads::{StoppedBy, json};
use crate::router::Admin;
use crate::view::escaped;

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
struct AuditQuery {
    namespace: Option<String>,
    key: Option<Vec<u8>>,
    digest: Option<KeyDigest>,
    transitions: Vec<Transition>,
    of_operators: bool,
    older_than_secs: Option<u64>,
    newer_than_secs: Option<u64>,
    rows: usize,
}

impl AuditQuery {
    fn parse(query: Option<&str>, rows_max: usize) -> Result<Self, Problem> {
        let mut asked = Self {
            rows: ROWS.min(rows_max),
            ..Self::default()
        };
        let members = members(query, KNOWN)?;
        let has = |name| members.iter().any(|(member, _)| *member == name);
        if has("key") && !has("namespace") {
            return Err(Problem::invalid(
                "key needs namespace: the same key in two namespaces is two keys",
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

    /// What stands for the key that is asked for. Refuses a namespace that is not there.
    fn key_digest(&self, store: &Store) -> Result<Option<KeyDigest>, Problem> {
        let Some(name) = &self.namespace else {
            return Ok(None);
        };
        let namespace = store.open_namespace(name)?;
        Ok(self.key.as_ref().map(|key| namespace.key_digest(key)))
    }

    fn passes(&self, entry: &AuditEntry, key: Option<KeyDigest>, store_secs: u64) -> bool {
        let (digest, age_secs) = (entry.key_digest(), store_secs.saturating_sub(entry.at()));
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

#[derive(Serialize)]
struct EntryView {
    number: u64,
    at: u64,
    transition: &'static str,
    origin: &'static str,
    namespace: Option<String>,
    /// Where the policy of the namespace keeps keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    digest: Option<String>,
    actor: String,
    reason: String,
    token: Option<String>,
    attempt: u32,
    fingerprint_digest: Option<String>,
    outcome_digest: Option<String>,
    expires_at: u64,
}

impl EntryView {
    fn of(entry: &AuditEntry) -> Self {
        let digits = |digest: u128| format!("{digest:032x}");
        Self {
            number: entry.number(),
            at: entry.at(),
            transition: entry.transition().name(),
            origin: match entry.origin() {
                Origin::Caller => "caller",
                Origin::Engine => "engine",
                Origin::Operator => "operator",
                _ => "unknown",
            },
            namespace: entry.namespace().map(str::to_owned),
            key: entry.key().map(escaped),
            digest: entry.key_digest().map(|digest| digest.to_string()),
            actor: entry.actor().to_owned(),
            reason: entry.reason().to_owned(),
            token: entry.token().map(|token| token.to_string()),
            attempt: entry.attempt(),
            fingerprint_digest: entry.fingerprint_digest().map(digits),
            outcome_digest: entry.outcome_digest().map(digits),
            expires_at: entry.expires_at(),
        }
    }
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<EntryView>,
    more: bool,
    stopped_by: Option<StoppedBy>,
    /// The last entry that there is, with its link in the chain: note it elsewhere.
    head: String,
    store_secs: u64,
}

/// `GET /audit`: what happened to keys, oldest first.
pub(crate) async fn entries(
    State(admin): State<Arc<Admin>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = AuditQuery::parse(uri.query(), admin.options.rows_max)?;
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| entries_of(&store, &query, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

/// The filter lies here and not in the scan, so that time is looked at between any two entries.
fn entries_of(store: &Store, query: &AuditQuery, stop: &Stop) -> Result<Entries, Problem> {
    let store_secs = store.stats().store_secs();
    let mut entries = Vec::new();
    let mut stopped_by = None;
    let key = query.key_digest(store)?;
    for entry in store.audit(AuditFilter::new())? {
        let entry = entry?;
        if query.passes(&entry, key, store_secs) {
            if entries.len() == query.rows {
                stopped_by = Some(StoppedBy::Limit);
                break;
            }
            entries.push(EntryView::of(&entry));
        }
        if stop.is_asked() {
            stopped_by = Some(StoppedBy::Time);
            break;
        }
    }
    Ok(Entries {
        entries,
        more: stopped_by.is_some(),
        stopped_by,
        head: store.audit_head().to_string(),
        store_secs,
    })
}
