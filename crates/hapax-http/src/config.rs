//! [`Config`]: the options of a layer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hapax::Namespace;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};

use crate::answer::disposition_rules::DispositionRules;
use crate::answer::problems::Problems;
use crate::answer::reply_headers::ReplyHeaders;
use crate::answer::stored_form::StoredForm;
use crate::observe::counters::Counters;
use crate::request::coverage::Coverage;
use crate::request::fingerprint::RequestFingerprint;
use crate::request::key_composition::KeyComposition;
use crate::request::operation::template;
use crate::run_tasks::RunTasks;

/// The most bytes of a request id that is kept.
const REQUEST_ID_BYTES_MAX: usize = 200;

type Screen = Arc<dyn Fn(&Parts, &Bytes) -> Option<Response<Bytes>> + Send + Sync>;
type Route = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

/// The options of a layer, with the counters and tasks that its clones share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) namespace: Namespace,
    pub(crate) coverage: Coverage,
    pub(crate) composition: KeyComposition,
    pub(crate) screen: Option<Screen>,
    pub(crate) fingerprint: RequestFingerprint,
    pub(crate) request_bytes_max: usize,
    pub(crate) response_bytes_max: usize,
    pub(crate) collects_streams: bool,
    pub(crate) wait: Option<Duration>,
    pub(crate) retry_after: Duration,
    pub(crate) doubt_retry_after: Duration,
    pub(crate) run_ceiling: Duration,
    pub(crate) fails_open: bool,
    pub(crate) dispositions: DispositionRules,
    pub(crate) stored_form: StoredForm,
    pub(crate) problems: Problems,
    pub(crate) reply_headers: ReplyHeaders,
    pub(crate) request_id_header: HeaderName,
    pub(crate) route: Option<Route>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runs: RunTasks,
}

impl Config {
    /// The defaults, on a namespace.
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            coverage: Coverage::default(),
            composition: KeyComposition::default(),
            screen: None,
            fingerprint: RequestFingerprint::new(),
            request_bytes_max: 1024 * 1024,
            response_bytes_max: namespace.policy().max_response_bytes(),
            collects_streams: false,
            wait: None,
            retry_after: Duration::from_secs(1),
            doubt_retry_after: Duration::from_secs(60),
            run_ceiling: Duration::from_secs(60 * 60),
            fails_open: false,
            dispositions: DispositionRules::default(),
            stored_form: StoredForm::default(),
            problems: Problems::default(),
            reply_headers: ReplyHeaders::default(),
            request_id_header: HeaderName::from_static("x-request-id"),
            route: None,
            counters: Arc::default(),
            runs: RunTasks::default(),
            namespace,
        }
    }

    pub(crate) fn route_label<'p>(&self, parts: &'p Parts) -> Cow<'p, str> {
        let label = match &self.route {
            Some(route) => route(parts).map(Cow::Owned),
            None => template(parts).map(Cow::Borrowed),
        };
        label.unwrap_or(Cow::Borrowed("unmatched"))
    }

    /// The id of the request; empty if it has no id, or an id that is too long to be kept.
    pub(crate) fn request_id<'p>(&self, parts: &'p Parts) -> &'p [u8] {
        let id = parts.headers.get(&self.request_id_header);
        let id = id.map(HeaderValue::as_bytes).unwrap_or_default();
        if id.len() <= REQUEST_ID_BYTES_MAX {
            id
        } else {
            &[]
        }
    }
}
