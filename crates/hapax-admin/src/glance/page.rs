//! `GET /glance` and `/glance.json`: the page that shows a store at a glance, and its snapshots.
//!
//! The page is one document that loads nothing else: it contains `glance.css` and `glance.js`, and its
//! policy admits only these two, by their hashes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::problem::Answer;
use crate::gate::Stop;
use crate::glance::snapshot::Snapshot;
use crate::request::list_query::ListQuery;

/// The hashes of the policy cover every byte between the tags.
const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<title>hapax at a glance</title>\n<style>",
    include_str!("glance.css"),
    "</style>\n</head>\n",
    include_str!("body.html"),
    "<script>",
    include_str!("glance.js"),
    "</script>\n</body>\n</html>\n"
);

/// A test computes the hashes.
const POLICY: &str = concat!(
    "default-src 'none'; ",
    "script-src 'sha256-aZ1BXRcS5dgNRMPxzyJi56gcNwzD+7TaBaRIrXK7b58='; ",
    "style-src 'sha256-HLykfIinW1tI3FcgnizpKHAeQEWJiWMNPtca+tdsmQI='; ",
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    "require-trusted-types-for 'script'; trusted-types 'none'"
);

/// `GET /glance`: the page.
pub(crate) async fn page(uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = Response::new(Body::from(PAGE));
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// `GET /`: leads to the page. It uses only the last part of the path, because a proxy may have removed
/// the parts before it.
pub(crate) async fn front(OriginalUri(uri): OriginalUri) -> Response {
    let mounted_at = uri.path().rsplit('/').next().unwrap_or_default();
    let slash = if mounted_at.is_empty() { "" } else { "/" };
    // The dot makes it a path, whatever the part looks like.
    let to = HeaderValue::try_from(format!("./{mounted_at}{slash}glance"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = to.unwrap_or(HeaderValue::from_static("./glance"));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// `GET /glance.json`: what the page shows. It reads counters, and no keys.
pub(crate) async fn snapshot(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    ListQuery::parse(uri.query(), &[], 1)?;
    let (store, run) = (admin.options.store.clone(), admin.run.clone());
    let taken = move |_: &Stop| Ok(Snapshot::of(&store, run));
    Ok(json(StatusCode::OK, &admin.glances.run(taken).await?))
}
