//! One kind of request, sent over and over on the main thread, for `ci/instructions` to count.
//!
//! `cargo bench -p hapax-http --bench instructions -- http-first` sends those of one scenario, without a name those of
//! all; nothing is counted without callgrind.

use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
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

/// Keys that are settled before the first request is counted.
const SETTLED: u64 = 6144;

/// Requests that are counted. New keys are a third of what is there, which is what a table grows by.
const REQUESTS: u64 = SETTLED / 3;

/// Long, for valgrind makes everything some fifty times slower, and a caller that outruns the journal by a
/// window waits.
const WINDOW: Duration = Duration::from_secs(60);

/// The first key of the requests that are counted.
const SCENARIOS: [(&str, u64); 2] = [("http-first", SETTLED), ("http-replay", SETTLED - REQUESTS)];

/// Does some work where it is counted: callgrind counts the instructions of this function, of what
/// it calls, and no others.
#[inline(never)]
fn counted_calls<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

async fn handle(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, BoxError> {
    let body = request.into_body().collect().await?.to_bytes();
    assert_eq!(body.len(), BODY.len());
    let answer = Response::builder()
        .status(201)
        .header("content-type", "application/json")
        .header("location", "/charges/ch_1NirD82eZvKYlo2C");
    Ok(answer.body(Full::from(ANSWER))?)
}

fn request(key: u64) -> Request<Full<Bytes>> {
    Request::post("/charges")
        .header("content-type", "application/json")
        .header(
            "idempotency-key",
            format!("\"8e03978e-40d5-43dd-bc93-{key:012x}\""),
        )
        .body(Full::from(BODY))
        .expect("a request")
}

/// Sends requests that were made before, one after the other, and reads each answer to its end.
async fn send<S, B>(service: &mut S, requests: Vec<Request<Full<Bytes>>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    for request in requests {
        let ready = service.ready().await.expect("ready");
        let answer = ready.call(request).await.expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.into_body().collect().await.expect("a body");
    }
}

/// Counts the requests of these keys, in a store that has answered [`SETTLED`] of them.
fn run(runtime: &Runtime, from: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::builder(dir.path().join("store"))
        .durability(Durability::Interval(WINDOW))
        .open()
        .expect("a store");
    let jobs = store
        .namespace("http", Policy::at_least_once())
        .expect("a policy");
    let mut service = IdempotencyLayer::new(jobs)
        .one_tenant()
        .layer(service_fn(handle));
    let requests = (0..SETTLED).map(request).collect();
    runtime.block_on(send(&mut service, requests));
    store.sync().expect("it is durable");
    let requests = (from..from + REQUESTS).map(request).collect();
    counted_calls(|| runtime.block_on(send(&mut service, requests)));
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let lists = wanted.iter().any(|arg| arg == "--list");
    // `cargo bench` adds flags for a harness, which this program does not have.
    let names: Vec<&String> = wanted.iter().filter(|arg| !arg.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (name, from) in SCENARIOS {
        let line = if lists {
            name.to_owned()
        } else if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            run(&runtime, from);
            format!("{name} {REQUESTS}")
        } else {
            continue;
        };
        if writeln!(io::stdout(), "{line}").is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
