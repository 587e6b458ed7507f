//! Payments with axum: send the same request twice under one `Idempotency-Key`, and it runs once.
//!
//! `cargo run -p hapax-http --features axum --example axum`

use axum::{Router, routing::post};
use hapax::{Policy, Store};
use hapax_http::{IdempotencyLayer, Run};

async fn pay(run: Run, order: String) -> String {
    // Send `run.derived_key("provider")` to a provider that accepts idempotency keys.
    format!("paid {order} in attempt {}", run.attempt())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(std::env::temp_dir().join("payments-store"))?;
    let layer =
        IdempotencyLayer::new(store.namespace("payments", Policy::at_most_once())?).one_tenant();
    let app = Router::new()
        .route("/payments", post(pay))
        .layer(layer.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let interrupted = async { tokio::signal::ctrl_c().await.expect("a signal handler") };
    axum::serve(listener, app)
        .with_graceful_shutdown(interrupted)
        .await?;
    layer.drained().await; // A handler may outlive its connection, and the store must outlive it.
    Ok(store.close()?)
}
