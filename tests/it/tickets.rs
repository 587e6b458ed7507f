//! A ticket that was used, when its store moves.

use hapax::testing::ManualClock;
use hapax::{ErrorKind, KeyState, LogKind, Policy, Store, Ticket};

use crate::contract_support::claim;

#[track_caller]
fn refused(store: &Store, ticket: &Ticket, kind: ErrorKind, state: KeyState) {
    let error = store.attach(ticket).expect_err("the ticket is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(
        error.current().map(|info| info.state()),
        Some(state),
        "{error}"
    );
}

/// On disk as in memory, in either kind of log, over a move and a restored backup.
#[test]
fn a_used_ticket_stays_used_when_the_store_moves() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let clock = ManualClock::new();
    let policy = Policy::at_most_once();
    let store = Store::builder(path("store")).clock(&clock).open().unwrap();
    let pay = store.namespace("pay", policy.clone()).unwrap();
    let ticket = claim(&pay, "key").detach().unwrap();
    let lease = store.attach(&ticket).unwrap();
    store.backup(path("backup")).unwrap();
    store.close().unwrap();
    drop((lease, pay, store));
    Store::move_log(path("store"), LogKind::Files).unwrap();
    Store::restore(path("backup"), path("restored")).unwrap();
    for name in ["store", "restored"] {
        let store = Store::builder(path(name)).clock(&clock).open().unwrap();
        store.namespace("pay", policy.clone()).unwrap();
        refused(&store, &ticket, ErrorKind::InUse, KeyState::InDoubt);
        store.close().unwrap();
    }
    Store::salvage(path("store"), path("rescued")).unwrap();
    let store = Store::builder(path("rescued"))
        .clock(&clock)
        .open()
        .unwrap();
    store.namespace("pay", policy).unwrap();
    refused(&store, &ticket, ErrorKind::InUse, KeyState::InDoubt);
}
