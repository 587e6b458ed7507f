//! A service with the router for its operators behind a bearer token.
//!
//! `HAPAX_TOKEN=secret cargo run -p hapax-admin --example operated`, then
//!
//! ```sh
//! curl -H 'authorization: Bearer secret' http://127.0.0.1:9090/admin/hapax/in-doubt
//! curl -H 'authorization: Bearer secret' http://127.0.0.1:9090/admin/hapax/metrics
//! curl http://127.0.0.1:9090/probes/health/ready
//! ```
//!
//! and in a browser <http://127.0.0.1:9090/admin/hapax/glance>, with any name and the token as password.
//!
//! `HAPAX_ADDRESS` and `HAPAX_STORE` change where it listens and where its store is.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Router, routing::post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hapax::{Claim, Policy, Store};
use hapax_admin::{Actor, AdminRouter, Refusal};

/// The operator that the service has authenticated.
#[derive(Clone)]
struct User(&'static str);

/// Admits requests with the token. A real service has a token, a session or a certificate for each
/// operator, so that the audit log has their names.
async fn authenticate(State(token): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    if !knows(request.headers(), &token) {
        // The second makes a browser ask for a password.
        let challenges = ["Bearer", "Basic realm=\"operators\""];
        let challenges = challenges.map(|challenge| (WWW_AUTHENTICATE, challenge));
        return (StatusCode::UNAUTHORIZED, AppendHeaders(challenges)).into_response();
    }
    request.extensions_mut().insert(User("on-call"));
    next.run(request).await
}

fn knows(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| {
        let bearer = value.strip_prefix("Bearer ");
        let bearer = bearer.map(|token| token.as_bytes().to_vec());
        bearer.or_else(|| password(value.strip_prefix("Basic ")?))
    });
    sent.is_some_and(|sent| is_same(&sent, token.as_bytes()))
}

/// What a browser sends: name, colon and password, in base64.
fn password(sent: &str) -> Option<Vec<u8>> {
    let sent = STANDARD.decode(sent).ok()?;
    let colon = sent.iter().position(|byte| *byte == b':')?;
    Some(sent[colon + 1..].to_vec())
}

/// Compares all bytes, so that the time taken reveals nothing about the token.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b));
    one.len() == other.len() && differs == 0
}

/// The work of the service: charges an order once. This provider never tells the outcome.
async fn charge(State(store): State<Store>, order: String) -> Result<String, StatusCode> {
    let failed = |_| StatusCode::SERVICE_UNAVAILABLE;
    let pay = store
        .namespace("payments", Policy::at_most_once())
        .map_err(failed)?;
    match pay
        .claim_async(order, hapax::ClaimOptions::new())
        .await
        .map_err(failed)?
    {
        Claim::Granted(lease) => {
            let doubt = lease.doubt_async("the provider timed out").await;
            doubt.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
            Ok("accepted".to_owned())
        }
        Claim::Completed(_) => Ok("paid before".to_owned()),
        _ => Err(StatusCode::CONFLICT),
    }
}

fn app(store: &Store, token: &str) -> Router {
    let admin = AdminRouter::new(store.clone()).allow_actions(|request| {
        let user = request.extensions.get::<User>();
        user.map(|user| Actor::new(user.0))
            .ok_or_else(|| Refusal::unauthenticated("Bearer"))
    });
    let operators = Router::new()
        .nest("/admin/hapax", admin.into_router())
        .layer(from_fn_with_state(Arc::from(token), authenticate));
    Router::new()
        .route("/charges", post(charge))
        .with_state(store.clone())
        .merge(operators)
        .nest("/probes", AdminRouter::probes(store.clone()))
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token =
        env::var("HAPAX_TOKEN").map_err(|_| "set HAPAX_TOKEN to the token of the operators")?;
    let path = env::var_os("HAPAX_STORE")
        .map_or_else(|| env::temp_dir().join("operated-store"), PathBuf::from);
    let store = Store::open(path)?;
    let address = env::var("HAPAX_ADDRESS").unwrap_or_else(|_| "127.0.0.1:9090".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    println!(
        "on http://{address} and its store at a glance on http://{address}/admin/hapax/glance"
    );
    let interrupted = async { tokio::signal::ctrl_c().await.expect("a signal handler") };
    axum::serve(listener, app(&store, &token))
        .with_graceful_shutdown(interrupted)
        .await?;
    Ok(store.close()?)
}
