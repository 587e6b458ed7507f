//! The thread of a backend: where calls may come from, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hapax::ErrorKind;
use hapax::backend::Backend;

use crate::cluster::runtime;
use crate::world::{World, absent_to, completed, done, key, running};

#[test]
fn what_was_sent_is_carried_out_before_the_end() {
    let Some(world) = World::new("closing_sent") else {
        return;
    };
    let other = world.other();
    let sent: Vec<_> = (0..2000)
        .map(|at| other.submit(vec![absent_to(&key(&at.to_string()), completed("x"))]))
        .collect();
    other.close();
    let late = other.submit(vec![absent_to(&key("late"), completed("x"))]);
    for answer in sent {
        let outcome = world.wait(answer).expect("it was sent").found.pop();
        assert!(done(outcome.expect("one outcome")).is_some());
    }
    assert_eq!(world.wait(late).unwrap_err().kind(), ErrorKind::Closed);
    world.until("the thread ends", || {
        let read = world.wait(other.read(vec![key("1")]));
        read.is_err_and(|error| error.kind() == ErrorKind::Closed)
    });
    // What needs the thread ends with it, and panics nowhere.
    world.wait(other.sleep(3_600_000));
    other.spawn(Box::pin(async {}));
    other.close();
    assert!(world.read(&key("1999")).is_some());
    assert!(world.read(&key("late")).is_none());
}

#[test]
fn a_dropped_answer_leaves_the_call_sent() {
    let Some(world) = World::new("closing_dropped") else {
        return;
    };
    drop(world.server.submit(vec![absent_to(&key("a"), running(1))]));
    world.until("it is carried out", || world.read(&key("a")).is_some());
}

#[test]
fn a_look_sees_what_was_sent_before_it() {
    let Some(world) = World::new("closing_order") else {
        return;
    };
    for at in 0..200 {
        let name = key(&at.to_string());
        let claim = absent_to(&name, running(60_000));
        let completion = crate::world::row_to(&name, claim.nonce, completed("done"));
        // No answer is waited for.
        drop(world.server.submit(vec![claim]));
        drop(world.server.submit(vec![completion.clone()]));
        let row = world.read(&name).expect("it was sent before");
        assert_eq!(row.nonce, completion.nonce);
    }
}

#[test]
fn calls_come_from_any_thread() {
    let Some(world) = World::new("closing_threads") else {
        return;
    };
    // On a thread that drives a runtime of its own, opening and calling work too.
    let url = world.url.clone();
    let opened = runtime().block_on(async {
        let options = crate::world::options("closing_threads");
        let server = hapax_postgres::backend(&url, &options).expect("it runs");
        let answered = server.submit(vec![absent_to(&key("a"), running(1))]).await;
        answered.expect("it runs");
        server.sleep(1).await;
        server
    });
    let ran = Arc::new(AtomicUsize::new(0));
    let (task, server) = (Arc::clone(&ran), Arc::clone(&opened));
    opened.spawn(Box::pin(async move {
        // A task of the backend may call the backend.
        let read = server.read(vec![key("a")]).await.expect("it runs");
        task.fetch_add(read.found.len(), Ordering::SeqCst);
    }));
    world.until("the task ran", || ran.load(Ordering::SeqCst) == 1);
    let before = opened.mono_ms();
    world.wait(opened.sleep(30));
    assert!(opened.mono_ms() - before >= 30);
}
