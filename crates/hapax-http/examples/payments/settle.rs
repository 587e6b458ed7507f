//! Settles keys that kills left in doubt: the ledger shows whether the payment was made.

use std::collections::HashMap;
use std::path::Path;

use axum::http::{Response, StatusCode, header};
use bytes::Bytes;
use hapax::{Guarantee, Resolution};
use hapax_http::StoredResponse;

use crate::Failure;
use crate::ledger::{self, EFFECT, Entry};
use crate::server;

/// How doubts were settled.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Settled {
    /// The ledger has the payment, and the answer was rebuilt from it.
    pub(crate) happened: u64,
    /// The ledger does not have the payment, so a retry runs again.
    pub(crate) never_happened: u64,
}

/// Settles every key in doubt. No server may run meanwhile, because it could add an effect after the look-up.
///
/// The derived key is the same in every attempt, so the ledger is searched for it, as a payment
/// provider would be asked for its idempotency key.
pub(crate) fn settle(dir: &Path, guarantee: Guarantee) -> Result<Settled, Failure> {
    let (store, _payments) = server::open(dir, guarantee)?;
    let entries = ledger::entries(dir)?;
    let made: HashMap<&str, &Entry> = entries
        .iter()
        .map(|entry| (entry.derived_key.as_str(), entry))
        .collect();
    let mut settled = Settled::default();
    store.reconcile(|doubt| {
        Some(match made.get(doubt.derived_key(EFFECT).as_str()) {
            Some(entry) => {
                settled.happened += 1;
                Resolution::Happened(stored(entry))
            }
            None => {
                settled.never_happened += 1;
                Resolution::NeverHappened
            }
        })
    })?;
    store.close()?;
    Ok(settled)
}

/// The response that the handler would have given.
fn stored(entry: &Entry) -> Vec<u8> {
    let mut response = Response::new(Bytes::from(entry.answer()));
    *response.status_mut() = StatusCode::CREATED;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    StoredResponse::new(response).to_bytes().to_vec()
}
