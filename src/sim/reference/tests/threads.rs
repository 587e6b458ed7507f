use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use super::{change, claimed, key};
use crate::backend::{Backend, Expect, KeyRef, Outcome};
use crate::runtime::sync::{Mailbox, Mutex, block_on, wake};
use crate::sim::{ReferenceBackend, Server};

const THREADS: u128 = 8;
const KEYS: u128 = 200;

type Winners = Mutex<BTreeMap<KeyRef, Vec<u128>>>;

/// Claims in a task, and waits for it, as a store does.
fn claim(client: &ReferenceBackend, key: &KeyRef, nonce: u128) -> bool {
    let mailbox = Arc::new(Mailbox::new());
    let answer = client.submit(vec![change(key, nonce, Expect::Absent, claimed(0))]);
    let there = Arc::clone(&mailbox);
    client.spawn(Box::pin(async move {
        let outcome = answer.await.unwrap().found.remove(0);
        if let Ok(Some(waker)) = there.deliver(outcome) {
            wake(waker);
        }
    }));
    let outcome = block_on(std::future::poll_fn(|context| mailbox.poll(context)));
    matches!(outcome, Outcome::Done(Some(_)))
}

#[test]
fn of_eight_threads_one_wins_each_key() {
    let server = Server::new();
    let (winners, barrier) = (Winners::default(), Barrier::new(8));
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (server, winners, barrier) = (&server, &winners, &barrier);
            scope.spawn(move || {
                let client = server.client();
                barrier.wait();
                for at in 0..KEYS {
                    let key = key(&at.to_string());
                    let nonce = 1 + at * THREADS + number;
                    if claim(&client, &key, nonce) {
                        winners.lock().entry(key).or_default().push(nonce);
                    }
                }
            });
        }
    });
    let winners = winners.lock();
    assert_eq!(winners.len(), 200);
    for (key, nonces) in winners.iter() {
        let [nonce] = nonces[..] else {
            panic!("{key:?} was won by {nonces:?}");
        };
        let row = server.read(std::slice::from_ref(key)).found.remove(0);
        assert_eq!(row.map(|row| row.nonce), Some(nonce));
    }
    server.validate();
}

#[test]
fn no_task_is_lost_between_threads() {
    let server = Server::new();
    let client = server.client();
    let done = Arc::new(Mutex::new(0_u32));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (client, done) = (client.clone(), &done);
            scope.spawn(move || {
                for _ in 0..500 {
                    let (done, backend) = (Arc::clone(done), client.clone());
                    client.spawn(Box::pin(async move {
                        let inner = Arc::clone(&done);
                        backend.spawn(Box::pin(async move { *inner.lock() += 1 }));
                        *done.lock() += 1;
                    }));
                }
            });
        }
    });
    assert_eq!(*done.lock(), 4000);
    assert_eq!(client.tasks(), 0);
    server.validate();
}
