//! `GET /metrics`, `/health/live` and `/health/ready`: what machines ask.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hapax::Health;
use serde::Serialize;

use crate::admin::Admin;
use crate::answer::json::json;
use crate::answer::problem::Answer;
use crate::answer::trouble_view::TroubleView;
use crate::gate::Stop;

/// The text format of Prometheus.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /metrics`
pub(crate) async fn metrics(State(admin): State<Arc<Admin>>) -> Answer {
    let store = admin.options.store.clone();
    let text = move |_: &Stop| Ok(store.metrics().to_prometheus());
    let mut response = Response::new(Body::from(admin.scrapes.run(text).await?));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    Ok(response)
}

#[derive(Serialize)]
struct HealthView {
    /// Whether the store is alive, or ready, depending on the path.
    ok: bool,
    troubles: Vec<TroubleView>,
    unsynced_secs: f64,
}

fn view(ok: bool, health: &Health) -> Response {
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let health = HealthView {
        ok,
        troubles: TroubleView::all_of(health),
        unsynced_secs: health.unsynced().as_secs_f64(),
    };
    json(status, &health)
}

/// `GET /health/live`: fails when only opening the store again helps.
pub(crate) async fn live(State(admin): State<Arc<Admin>>) -> Response {
    let health = admin.options.store.health();
    view(health.is_alive(), &health)
}

/// `GET /health/ready`: fails when the store does not grant.
pub(crate) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let health = admin.options.store.health();
    view(health.is_ready(), &health)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use axum::extract::State;
    use hapax::Store;

    use super::metrics;
    use crate::admin::Admin;
    use crate::options::Options;

    /// Reads of keys that hung with the medium once took every place. The scraper got "busy", and every
    /// alert was blind when it was needed.
    #[tokio::test]
    async fn metrics_come_though_reads_of_keys_hang() {
        let store = Store::in_memory().open().unwrap();
        let admin = Arc::new(Admin::new(Options::new(store)));
        let mut hanging = Vec::new();
        for _ in 0..16 {
            let (go_on, wait) = channel::<()>();
            hanging.push(go_on);
            let admin = Arc::clone(&admin);
            tokio::spawn(async move {
                let _ = admin.reads.run(move |_| Ok(wait.recv().is_ok())).await;
            });
        }
        // Counts places without taking one from the reads that hang.
        while admin.reads.free_places() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(metrics(State(Arc::clone(&admin))).await.is_ok());
    }
}
