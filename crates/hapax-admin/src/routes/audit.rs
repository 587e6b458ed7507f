//! `GET /audit`: entries of the audit log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use hapax::Store;
use hapax::audit::{AuditEntry, AuditFilter, Origin};
use serde::Serialize;

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::page::StoppedBy;
use crate::answer::problem::{Answer, Problem};
use crate::gate::Stop;
use crate::notation::percent::escaped;
use crate::notation::seconds::secs;
use crate::request::audit_query::AuditQuery;

#[derive(Serialize)]
struct EntryView {
    number: u64,
    at: u64,
    transition: &'static str,
    origin: &'static str,
    namespace: Option<String>,
    /// Present if the policy of the namespace keeps keys.
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
            at: secs(entry.at()),
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
            expires_at: secs(entry.expires_at()),
        }
    }
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<EntryView>,
    more: bool,
    stopped_by: Option<StoppedBy>,
    /// The last entry, with its link in the chain: operators note it elsewhere.
    head: String,
    store_secs: u64,
}

/// `GET /audit`: the entries that pass a filter, oldest first.
pub(crate) async fn entries(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = AuditQuery::parse(uri.query(), admin.options.rows_max)?;
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| entries_of(&store, &query, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

/// Filters here and not in the scan, to check the time limit between any two entries.
fn entries_of(store: &Store, query: &AuditQuery, stop: &Stop) -> Result<Entries, Problem> {
    let store_secs = secs(store.stats().store_time());
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
