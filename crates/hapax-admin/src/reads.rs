//! What is read: counters, namespaces, and keys.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use hapax::{
    Doubt, DoubtScan, ExplainedOption, Filter, Guarantee, KeyInfo, Rank, RunningScan, Scan, Store,
};
use serde::Serialize;

use crate::gate::Stop;
use crate::key_path::KeyPath;
use crate::problem::{Code, Problem};
use crate::query::ListQuery;
use crate::router::Admin;
use crate::view::{DoubtView, KeyView, WholeKeyView};

type Answer = Result<Response, Problem>;

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("what is shown is JSON");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    log_kind: Option<String>,
    namespaces: usize,
    store_secs: u64,
    keys: u64,
    running_keys: u64,
    waiters: u64,
    live_records: u64,
    segments: u64,
    log_bytes: u64,
    live_bytes: u64,
    disk_bytes: u64,
    table_bytes: u64,
    last_frame: u64,
    durable_frame: u64,
    recovered_records: u64,
    torn_frames: u64,
    recovery_secs: f64,
    /// What this router carries out; empty where it only reads.
    operations: Vec<&'static str>,
    forces: bool,
}

/// What the store is and holds.
pub(crate) async fn info(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let options = &admin.options;
    let operations = match options.acts() {
        true => options.operations.iter().map(|one| one.name()).collect(),
        false => Vec::new(),
    };
    let forces = options.acts() && options.forces;
    let store = options.store.clone();
    let info = move |_: &Stop| Ok(info_of(&store, operations, forces));
    Ok(json(StatusCode::OK, &admin.reads.run(info).await?))
}

fn info_of(store: &Store, operations: Vec<&'static str>, forces: bool) -> Info {
    let stats = store.stats();
    Info {
        version: env!("CARGO_PKG_VERSION"),
        log_kind: store.log_kind().map(|kind| kind.to_string()),
        namespaces: store.namespaces().len(),
        store_secs: stats.store_secs(),
        keys: stats.keys(),
        running_keys: stats.running_keys(),
        waiters: stats.waiters(),
        live_records: stats.live_records(),
        segments: stats.segments(),
        log_bytes: stats.log_bytes(),
        live_bytes: stats.live_bytes(),
        disk_bytes: stats.disk_bytes(),
        table_bytes: stats.table_bytes(),
        last_frame: stats.last_frame(),
        durable_frame: stats.durable_frame(),
        recovered_records: stats.recovered_records(),
        torn_frames: stats.torn_frames(),
        recovery_secs: stats.recovery().as_secs_f64(),
        operations,
        forces,
    }
}

#[derive(Serialize)]
struct NamespaceView {
    name: String,
    guarantee: &'static str,
    completed_retention_secs: f64,
    response_bytes_max: usize,
}

#[derive(Serialize)]
struct Namespaces {
    namespaces: Vec<NamespaceView>,
}

/// The namespaces, in the order in which they were made.
pub(crate) async fn namespaces(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let store = admin.options.store.clone();
    let listed = move |_: &Stop| {
        let names = store.namespaces().into_iter();
        let views: Result<Vec<_>, Problem> = names.map(|name| namespace_of(&store, name)).collect();
        Ok(Namespaces { namespaces: views? })
    };
    Ok(json(StatusCode::OK, &admin.reads.run(listed).await?))
}

fn namespace_of(store: &Store, name: String) -> Result<NamespaceView, Problem> {
    let namespace = store.open_namespace(&name)?;
    let policy = namespace.policy();
    Ok(NamespaceView {
        guarantee: match policy.guarantee() {
            Guarantee::AtLeastOnce => "at_least_once",
            Guarantee::AtMostOnce => "at_most_once",
            _ => "unknown",
        },
        completed_retention_secs: policy.completed_retention().as_secs_f64(),
        response_bytes_max: policy.max_response_bytes(),
        name,
    })
}

#[derive(Serialize)]
struct OptionView<'a> {
    section: &'a str,
    name: &'a str,
    value: Option<&'a str>,
    by_default: Option<&'a str>,
    source: String,
    unit: &'a str,
    meaning: &'a str,
}

#[derive(Serialize)]
struct Options<'a> {
    options: Vec<OptionView<'a>>,
}

/// Every option in force, with where it comes from and what it means.
pub(crate) async fn options(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let store = admin.options.store.clone();
    let explained = admin.reads.run(move |_: &Stop| Ok(store.explain())).await?;
    let options = explained.options().iter().map(option_of).collect();
    Ok(json(StatusCode::OK, &Options { options }))
}

/// As it is called in a configuration.
fn option_of(option: &ExplainedOption) -> OptionView<'_> {
    OptionView {
        section: option.section(),
        name: option.name(),
        value: option.value(),
        by_default: option.by_default(),
        source: option.source().to_string(),
        unit: option.unit(),
        meaning: option.meaning(),
    }
}

/// Why a list ends before the last key that it could have.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoppedBy {
    Limit,
    Time,
}

#[derive(Serialize)]
struct Page<T> {
    keys: Vec<T>,
    /// Whether there may be more that are asked for.
    more: bool,
    stopped_by: Option<StoppedBy>,
    /// What the next page has to be asked for with, where there may be one.
    next: Option<String>,
    /// Keys that were looked at.
    scanned: u64,
    store_secs: u64,
}

impl<T> Page<T> {
    fn new(store_secs: u64) -> Self {
        Self {
            keys: Vec::new(),
            more: false,
            stopped_by: None,
            next: None,
            scanned: 0,
            store_secs,
        }
    }

    /// The next page goes on after `reached`, where the list has an order that lasts.
    fn stop(&mut self, by: StoppedBy, reached: Option<Rank>) {
        self.more = true;
        self.stopped_by = Some(by);
        self.next = reached.map(|rank| rank.to_string());
    }
}

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

fn scan(store: &Store, namespace: Option<&str>, filter: Filter) -> Result<Scan, Problem> {
    Ok(match namespace {
        Some(name) => store.open_namespace(name)?.scan(filter)?,
        None => store.scan(filter)?,
    })
}

/// The filter lies here and not in the scan, so that time is looked at between any two keys.
fn page_of(store: &Store, query: &ListQuery, stop: &Stop) -> Result<Page<KeyView>, Problem> {
    let mut page = Page::new(store.stats().store_secs());
    for info in scan(store, query.namespace.as_deref(), Filter::new())? {
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

/// The keys that somebody runs, the longest-running first.
pub(crate) async fn in_progress(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = ListQuery::parse(uri.query(), IN_PROGRESS, admin.options.rows_max)?;
    let store = admin.options.store.clone();
    let page = move |stop: &Stop| running_of(&store, &query, stop);
    Ok(json(StatusCode::OK, &admin.scans.run(page).await?))
}

fn running_of(store: &Store, query: &ListQuery, stop: &Stop) -> Result<Page<KeyView>, Problem> {
    let store_secs = store.stats().store_secs();
    let mut scan = match &query.namespace {
        Some(name) => store.open_namespace(name)?.running()?,
        None => store.running()?,
    };
    if let Some(rank) = query.start(store_secs) {
        scan = scan.after(rank);
    }
    let view = |info: &KeyInfo| KeyView::of(info, store_secs);
    let (reached, key) = (RunningScan::reached, KeyInfo::key);
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

/// The keys in doubt, oldest first.
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
    let store_secs = store.stats().store_secs();
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

/// Ends at the first key that is too young: all after it are younger.
fn page_by_age<S, K, V>(
    mut scan: S,
    reached: impl Fn(&S) -> Option<Rank>,
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
        let age_secs = rank.map_or(0, |rank| store_secs.saturating_sub(rank.since()));
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

/// One key. Its bytes are shown if that is asked for.
pub(crate) async fn key(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let path = KeyPath::parse(uri.path())?;
    let query = ListQuery::parse(uri.query(), &["bytes"], 1)?;
    let shown = query.shows_bytes.then_some(admin.options.shown_bytes_max);
    let store = admin.options.store.clone();
    let view = move |_: &Stop| {
        let found = store.open_namespace(&path.namespace)?.get(&path.key)?;
        let Some(info) = found else {
            let text = "the key is absent or expired: it can be claimed";
            return Err(Problem::new(Code::UnknownKey, text));
        };
        let store_secs = store.stats().store_secs();
        Ok(WholeKeyView::of(&info, store_secs, shown))
    };
    Ok(json(StatusCode::OK, &admin.reads.run(view).await?))
}
