//! The service: payments through the layer, and the same handler without it.

use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Json, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use hapax::{Guarantee, Namespace, Policy, Store};
use hapax_http::{IdempotencyLayer, KeyRule, Run};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::Failure;
use crate::args::ServerArgs;
use crate::ledger::{EFFECT, Entry, Ledger};
use crate::random::Random;

/// The text before the address, which the server prints once it listens.
pub(crate) const LISTENING: &str = "listening on ";

/// The lock of a killed process may last a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The store of a directory, and the namespace of its payments.
pub(crate) fn open(dir: &Path, guarantee: Guarantee) -> Result<(Store, Namespace), Failure> {
    let store = Store::builder(dir.join("store"))
        .wait_for_lock(LOCK_WAIT)
        .open()?;
    let policy = match guarantee {
        Guarantee::AtLeastOnce => Policy::at_least_once(),
        _ => Policy::at_most_once(),
    };
    let payments = store.namespace("payments", policy)?;
    Ok((store, payments))
}

/// Serves until its parent process closes the input, or kills it.
pub(crate) fn run(args: &ServerArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &ServerArgs) -> Result<(), Failure> {
    let (store, payments) = open(&args.dir, args.guarantee)?;
    let layer = IdempotencyLayer::new(payments)
        .one_tenant()
        .key_rule(KeyRule::uuid());
    let desk = Desk {
        ledger: Ledger::open(&args.dir, args.syncs)?,
        seed: args.seed,
        pause: args.pause,
    };
    let mut covered = Router::new().route("/payments", post(pay));
    if !args.unprotected {
        covered = covered.layer(layer.clone());
    }
    let bare = Router::new().route("/bare/payments", post(pay));
    let app = covered.merge(bare).with_state(Arc::new(desk));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        // Otherwise an answer in two parts would wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    // The line may already have other output, such as that of a test runner.
    io::stdout().write_all(format!("\n{LISTENING}{address}\n").as_bytes())?;
    io::stdout().flush()?;
    axum::serve(listener, app)
        .with_graceful_shutdown(input_ended())
        .await?;
    // A handler may outlive its connection, and the store must outlive the handler.
    layer.drained().await;
    store.close()?;
    Ok(())
}

/// Ends when the parent process closes the input, or dies.
fn input_ended() -> impl Future<Output = ()> + Send {
    let reads = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    async move {
        let _ = reads.await;
    }
}

/// The state of the handler.
#[derive(Debug)]
struct Desk {
    ledger: Ledger,
    seed: u64,
    pause: Duration,
}

#[derive(Deserialize, Debug)]
struct Order {
    amount: u64,
    currency: String,
}

/// The handler: it pauses, makes the payment, pauses again, and answers.
async fn pay(
    State(desk): State<Arc<Desk>>,
    run: Option<Extension<Run>>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Response {
    let key = headers.get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
    let run = run.map(|Extension(run)| run);
    let entry = Entry {
        key: key.trim_matches('"').to_owned(),
        derived_key: run
            .as_ref()
            .and_then(|run| run.derived_key(EFFECT))
            .unwrap_or_default(),
        token: run.as_ref().map(Run::token),
        attempt: run.as_ref().map_or(1, Run::attempt),
        amount: order.amount,
        currency: order.currency,
    };
    let mut random = Random::named(desk.seed, &format!("{} {:?}", entry.key, entry.token));
    pause(&mut random, desk.pause).await;
    let answer = entry.answer();
    let paid = tokio::task::spawn_blocking({
        let desk = Arc::clone(&desk);
        move || desk.ledger.append(&entry)
    });
    if !matches!(paid.await, Ok(Ok(()))) {
        // A part of the line may be written, so under at-most-once the status leaves the key in doubt.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    pause(&mut random, desk.pause).await;
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::CREATED, json, answer).into_response()
}

async fn pause(random: &mut Random, most: Duration) {
    if !most.is_zero() {
        tokio::time::sleep(random.up_to(most)).await;
    }
}
