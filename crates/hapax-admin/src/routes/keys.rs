//! `GET /keys`, `/in-progress`, `/in-doubt` and `/keys/{namespace}/{key}`: lists of keys, and one key.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use hapax::scan::{DoubtScan, InProgressScan, KeyFilter, Scan, ScanPosition};
use hapax::{Doubt, KeyInfo, Store};

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::key_view::{DoubtView, KeyView, WholeKeyView};
use crate::answer::page::{Page, StoppedBy};
use crate::answer::problem::{Answer, Code, Problem};
use crate::gate::Stop;
use crate::notation::seconds::secs;
use crate::request::key_path::KeyPath;
use crate::request::list_query::ListQuery;

const LIST: &[&str] = &[
    "namespace",
    "state",
    "prefix",
    "client_key",
    "tenant",
    "operation",
    "older_than",
    "newer_than",
    "limit",
];

/// Keys that pass a filter, oldest record first; then those in progress.
pub(crate) async fn keys(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = ListQuery::parse(uri.query(), LIST, admin.options.rows_max)?;
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| page_of(&store, &query, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

fn scan(store: &Store, namespace: Option<&str>, filter: KeyFilter) -> Result<Scan, Problem> {
    Ok(match namespace {
        Some(name) => store.open_namespace(name)?.scan(filter)?,
        None => store.scan(filter)?,
    })
}

/// Filters here and not in the scan, to check the time limit between any two keys.
fn page_of(store: &Store, query: &ListQuery, stop: &Stop) -> Result<Page<KeyView>, Problem> {
    let mut page = Page::new(secs(store.stats().store_time()));
    for info in scan(store, query.namespace.as_deref(), KeyFilter::new())? {
        let info = info?;
        page.scanned += 1;
        if query.passes(&info, page.store_secs) {
            if page.keys.len() == query.rows {
                page.stop(StoppedBy::Limit, None);
                break;
            }
            page.keys.push(KeyView::of(&info, page.store_secs));
        }
        if stop.is_asked() {
            page.stop(StoppedBy::Time, None);
            break;
        }
    }
    Ok(page)
}

const IN_PROGRESS: &[&str] = &[
    "namespace",
    "prefix",
    "client_key",
    "tenant",
    "operation",
    "older_than",
    "newer_than",
    "after",
    "limit",
];

/// Keys in progress, the longest-running first.
pub(crate) async fn in_progress(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = ListQuery::parse(uri.query(), IN_PROGRESS, admin.options.rows_max)?;
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| running_of(&store, &query, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

fn running_of(store: &Store, query: &ListQuery, stop: &Stop) -> Result<Page<KeyView>, Problem> {
    let store_secs = secs(store.stats().store_time());
    let mut scan = match &query.namespace {
        Some(name) => store.open_namespace(name)?.running()?,
        None => store.running()?,
    };
    if let Some(rank) = query.start(store_secs) {
        scan = scan.after(rank);
    }
    let view = |info: &KeyInfo| KeyView::of(info, store_secs);
    let (reached, key) = (InProgressScan::reached, KeyInfo::key);
    page_by_age(scan, reached, key, view, query, store_secs, stop)
}

const IN_DOUBT: &[&str] = &[
    "namespace",
    "prefix",
    "client_key",
    "tenant",
    "operation",
    "older_than",
    "newer_than",
    "after",
    "limit",
    "bytes",
];

/// Keys in doubt, oldest first.
pub(crate) async fn in_doubt(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = ListQuery::parse(uri.query(), IN_DOUBT, admin.options.rows_max)?;
    let shown = query.shows_bytes.then_some(admin.options.shown_bytes_max);
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| doubts_of(&store, &query, shown, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

fn doubts_of(
    store: &Store,
    query: &ListQuery,
    shown: Option<usize>,
    stop: &Stop,
) -> Result<Page<DoubtView>, Problem> {
    let store_secs = secs(store.stats().store_time());
    let mut scan = match &query.namespace {
        Some(name) => store.open_namespace(name)?.doubts()?,
        None => store.doubts()?,
    };
    if let Some(rank) = query.start(store_secs) {
        scan = scan.after(rank);
    }
    let view = |doubt: &Doubt| DoubtView::of(doubt, store_secs, shown);
    let (reached, key) = (DoubtScan::reached, Doubt::key);
    page_by_age(scan, reached, key, view, query, store_secs, stop)
}

/// Ends at the first key that is too young, because all later ones are younger.
fn page_by_age<S, K, V>(
    mut scan: S,
    reached: impl Fn(&S) -> Option<ScanPosition>,
    key: impl Fn(&K) -> &[u8],
    view: impl Fn(&K) -> V,
    query: &ListQuery,
    store_secs: u64,
    stop: &Stop,
) -> Result<Page<V>, Problem>
where
    S: Iterator<Item = hapax::Result<K>>,
{
    let mut page = Page::new(store_secs);
    let mut last = None;
    while let Some(found) = scan.next() {
        let found = found?;
        page.scanned += 1;
        let rank = reached(&scan);
        let age_secs = rank.map_or(0, |rank| store_secs.saturating_sub(secs(rank.since())));
        if query.is_past(age_secs) {
            break;
        }
        if query.is_of_age(age_secs) && query.names(key(&found)) {
            if page.keys.len() == query.rows {
                page.stop(StoppedBy::Limit, last);
                break;
            }
            page.keys.push(view(&found));
        }
        last = rank;
        if stop.is_asked() {
            page.stop(StoppedBy::Time, last);
            break;
        }
    }
    Ok(page)
}

/// One key, with its stored bytes on request.
pub(crate) async fn key(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let path = KeyPath::parse(uri.path())?;
    let query = ListQuery::parse(uri.query(), &["bytes"], 1)?;
    let shown = query.shows_bytes.then_some(admin.options.shown_bytes_max);
    let store = admin.options.store.clone();
    let view = move |_: &Stop| {
        let found = store.open_namespace(&path.namespace)?.get(&path.key)?;
        let Some(info) = found else {
            let text = "the key is absent or expired, and can be claimed";
            return Err(Problem::new(Code::UnknownKey, text));
        };
        let store_secs = secs(store.stats().store_time());
        Ok(WholeKeyView::of(&info, store_secs, shown))
    };
    Ok(json(StatusCode::OK, &admin.reads.run(view).await?))
}
