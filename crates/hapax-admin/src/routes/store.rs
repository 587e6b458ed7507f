//! `GET /info`, `/namespaces` and `/options`: what the store is, what it holds, and how it is configured.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use hapax::config::ExplainedOption;
use hapax::{Guarantee, Store};
use serde::Serialize;

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::problem::{Answer, Problem};
use crate::gate::Stop;
use crate::notation::seconds::secs;
use crate::request::list_query::ListQuery;

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
    /// The operations that this router carries out; empty if it only reads.
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
        store_secs: secs(stats.store_time()),
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

/// The namespaces, in the order of their creation.
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

/// Every option in force, with its source and its meaning.
pub(crate) async fn options(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let store = admin.options.store.clone();
    let explained = admin.reads.run(move |_: &Stop| Ok(store.explain())).await?;
    let options = explained.options().iter().map(option_of).collect();
    Ok(json(StatusCode::OK, &Options { options }))
}

/// An option under its name in a configuration.
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
