//! The cost of the layer per request: the bare service, a new key, and a replay.
//!
//! The service is called without a socket. `bare` runs the handler without the layer, and in a separate task, which is
//! the part of the cost that no such layer can avoid.

use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use hapax::{Durability, Policy, Store};
use hapax_http::{BoxError, IdempotencyLayer, RequestBody};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;

const BODY: &[u8] =
    br#"{"amount":1999,"currency":"EUR","source":"tok_visa","description":"order 17"}"#;
const ANSWER: &[u8] = br#"{"id":"ch_1NirD82eZvKYlo2C","status":"succeeded","amount":1999}"#;

type Body = Full<Bytes>;

async fn handle<B>(request: Request<B>) -> Result<Response<Body>, BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let body = request.into_body().collect().await;
    let body = body.map_err(Into::into)?.to_bytes();
    assert_eq!(body.len(), BODY.len());
    let answer = Response::builder()
        .status(201)
        .header("content-type", "application/json")
        .header("location", "/charges/ch_1NirD82eZvKYlo2C");
    Ok(answer.body(Body::from(ANSWER))?)
}

fn request(key: u64) -> Request<Body> {
    Request::post("/charges")
        .header("content-type", "application/json")
        .header(
            "idempotency-key",
            format!("\"8e03978e-40d5-43dd-bc93-{key:012x}\""),
        )
        .body(Body::from(BODY))
        .expect("a request")
}

fn rounds<S, B>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    mut service: S,
    mut next: impl FnMut() -> u64,
) where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    group.bench_function(name, |b| {
        b.iter(|| {
            runtime.block_on(async {
                let ready = service.ready().await.expect("ready");
                let answer = ready.call(request(next())).await.expect("an answer");
                assert_eq!(answer.status(), 201);
                answer.into_body().collect().await.expect("a body")
            })
        });
    });
}

fn layer(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut group = c.benchmark_group("layer");
    group
        .sample_size(30)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    let bare = service_fn(handle::<Body>);
    rounds(&mut group, &runtime, "bare", bare, || 0);
    let spawned = service_fn(|request: Request<Body>| async {
        tokio::spawn(handle(request)).await.expect("no panic")
    });
    rounds(&mut group, &runtime, "bare/task", spawned, || 0);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("store");
    let durability = Durability::Interval(Duration::from_millis(100));
    for (name, store) in [
        ("memory", Store::in_memory()),
        ("interval", Store::builder(path).durability(durability)),
    ] {
        let store = store.open().expect("a store");
        let jobs = store
            .namespace("http", Policy::at_least_once())
            .expect("a policy");
        let service = IdempotencyLayer::new(jobs)
            .one_tenant()
            .layer(service_fn(handle::<RequestBody>));
        let mut key = 0;
        let fresh = || {
            key += 1;
            key
        };
        rounds(
            &mut group,
            &runtime,
            &format!("new/{name}"),
            service.clone(),
            fresh,
        );
        rounds(
            &mut group,
            &runtime,
            &format!("replay/{name}"),
            service,
            || 1,
        );
    }
    group.finish();
}

criterion_group!(benches, layer);
criterion_main!(benches);
