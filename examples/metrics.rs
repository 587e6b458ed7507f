//! The metrics of a store, as Prometheus reads them, after a little of everything has happened. It runs in
//! memory on a clock that the example moves, so it always prints the same.
//!
//! ```text
//! cargo run --example metrics
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{
    Claim, ClaimItem, ClaimOptions, Lease, Namespace, Pending, Policy, Resolution, Result, Store,
};

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let clock = ManualClock::new();
    let store = Store::in_memory()
        .clock(&clock)
        .allow_at_most_once()
        .open()?;
    let mail = store.namespace("mail", Policy::at_least_once().lease(30 * SECOND))?;
    let pay = store.namespace("payments", Policy::at_most_once().lease(30 * SECOND))?;
    let before = store.metrics();
    settle(&mail, &clock)?;
    lose(&mail, &clock)?;
    doubt(&pay, &clock)?;
    meet(&mail, &clock)?;
    // Long enough for the first answers to be forgotten.
    clock.advance(25 * 3600 * SECOND);
    let open = lease(&mail, "a-long-one")?;
    clock.advance(12 * SECOND);
    let metrics = store.metrics();
    print!("{}", metrics.to_prometheus());
    eprintln!("{:#?}", metrics.indicators_since(&before));
    eprintln!("health: {}", store.health());
    open.release("the example ends")?;
    store.close()
}

fn lease(space: &Namespace, key: &str) -> Result<Lease> {
    match space.claim(key)? {
        Claim::Granted(lease) => Ok(lease),
        other => unreachable!("no other caller exists: {other:?}"),
    }
}

/// Work that succeeds or fails.
fn settle(mail: &Namespace, clock: &ManualClock) -> Result<()> {
    for number in 0..20_u32 {
        let lease = lease(mail, &format!("user-{number}"))?;
        clock.advance(Duration::from_millis(u64::from(number * number)));
        match number {
            7 => lease.fail("no such address")?,
            8 => lease.release("the relay is busy")?,
            _ => lease.complete("sent")?,
        }
    }
    lease(mail, "user-8")?.complete("sent")?;
    mail.insert("user-20")?;
    Ok(())
}

/// A holder that is silent for too long, and comes back when another one has taken its place.
fn lose(mail: &Namespace, clock: &ManualClock) -> Result<()> {
    let slow = lease(mail, "user-21")?;
    slow.checkpoint("half")?;
    slow.renew()?;
    clock.advance(31 * SECOND);
    lease(mail, "user-21")?.complete("sent")?;
    let refused = slow.complete("sent").expect_err("it was superseded");
    eprintln!("{}: {refused}", refused.kind().name());
    drop(lease(mail, "user-22")?);
    Ok(())
}

/// Effects whose outcome is unknown.
fn doubt(pay: &Namespace, clock: &ManualClock) -> Result<()> {
    lease(pay, "order-1")?.doubt("the provider timed out")?;
    for doubt in pay.doubts()? {
        doubt?.resolve(Resolution::Happened(b"receipt".to_vec()))?;
    }
    let lost = lease(pay, "order-2")?;
    clock.advance(31 * SECOND);
    drop(lost);
    Ok(())
}

fn poll<T>(waiting: &mut Pending<T>) -> Poll<T> {
    Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()))
}

/// Callers that meet an existing key.
fn meet(mail: &Namespace, clock: &ManualClock) -> Result<()> {
    let running = lease(mail, "user-30")?;
    drop(mail.claim("user-30")?);
    let wait = || ClaimOptions::new().wait(SECOND);
    // One that is never polled, one that is answered, one that waits for too long, one that is given up.
    drop(mail.claim_async("user-30", wait()));
    let slow = lease(mail, "user-32")?;
    let mut late = mail.claim_async("user-32", wait());
    let mut answered = mail.claim_async("user-30", wait());
    let mut given_up = mail.claim_async("user-30", wait());
    for waiting in [&mut late, &mut answered, &mut given_up] {
        assert!(poll(waiting).is_pending());
    }
    drop(given_up);
    running.complete("sent")?;
    assert!(poll(&mut answered).is_ready());
    clock.advance(2 * SECOND);
    assert!(poll(&mut late).is_ready());
    slow.complete("sent")?;
    for key in ["user-30", "user-1", "user-7"] {
        drop(mail.claim(key)?);
    }
    let print = |body: &str| mail.fingerprint_of(body);
    let first = ClaimOptions::new().fingerprint(print("10 EUR")?);
    let Claim::Granted(run) = mail.claim_with("user-31", first)? else {
        unreachable!("no other caller exists")
    };
    run.complete("sent")?;
    let other = ClaimOptions::new().fingerprint(print("99 EUR")?);
    drop(mail.claim_with("user-31", other)?);
    let _ = mail.claim("").expect_err("a key is not empty");
    drop(mail.claim_many(["user-40", "user-41", "user-40"].map(ClaimItem::new))?);
    mail.forget("user-1")?;
    Ok(())
}
