//! [`Options`]: what a router may do, and how much.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hapax::Store;

use crate::answer::problem::{Code, Problem};
use crate::operator::actor::{Actor, Refusal};
use crate::operator::operation::Operation;

/// Names who acts, from the head of a request.
pub(crate) type Who = Arc<dyn Fn(&Parts) -> Result<Actor, Refusal> + Send + Sync>;

/// The store, and every option of [`AdminRouter`](crate::AdminRouter).
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) store: Store,
    pub(crate) who: Option<Who>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) forces: bool,
    pub(crate) request_bytes_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) shown_bytes_max: usize,
    pub(crate) scan_time: Duration,
}

impl Options {
    /// Every option at its default.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            who: None,
            operations: Operation::ALL.to_vec(),
            forces: false,
            request_bytes_max: 64 * 1024,
            rows_max: 1000,
            shown_bytes_max: 4096,
            scan_time: Duration::from_secs(2),
        }
    }

    /// Whether this router carries out operations.
    pub(crate) fn acts(&self) -> bool {
        self.who.is_some()
    }

    /// Who acts, if this router allows the operation.
    pub(crate) fn actor(&self, parts: &Parts, operation: Operation) -> Result<Actor, Problem> {
        let Some(who) = &self.who else {
            let text = "this router only reads: the service has not allowed actions";
            return Err(Problem::new(Code::ActionsOff, text));
        };
        if !self.operations.contains(&operation) {
            let text = format!("the service does not allow {operation}");
            return Err(Problem::new(Code::OperationOff, text));
        }
        check_same_site(&parts.headers)?;
        Ok(who(parts)?)
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that a page of another site made the operator's browser send.
fn check_same_site(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(
            Code::CrossSite,
            "a page of another site sent this request: send operations from this site",
        )),
    }
}
