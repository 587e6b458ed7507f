use std::sync::Arc;
use std::task::Poll;

use crate::backend::Backend;
use crate::runtime::sync::{Mailbox, Mutex, block_on, wake};
use crate::sim::{ReferenceBackend, Server};

type Order = Arc<Mutex<Vec<u32>>>;

fn post(order: &Order, number: u32) {
    order.lock().push(number);
}

/// Delivers as the engine does: the waker is woken outside of the lock.
fn deliver(mailbox: &Mailbox<u32>, value: u32) {
    if let Ok(Some(waker)) = mailbox.deliver(value) {
        wake(waker);
    }
}

async fn receive(mailbox: &Mailbox<u32>) -> u32 {
    std::future::poll_fn(|context| mailbox.poll(context)).await
}

#[test]
fn a_task_starts_others_and_they_run_after_it() {
    let client = Server::new().client();
    let order = Order::default();
    let (backend, own) = (client.clone(), Arc::clone(&order));
    client.spawn(Box::pin(async move {
        for number in [2, 3] {
            let own = Arc::clone(&own);
            backend.spawn(Box::pin(async move { post(&own, number) }));
        }
        post(&own, 1);
    }));
    assert_eq!(*order.lock(), [1, 2, 3]);
    assert_eq!(client.tasks(), 0);
}

#[test]
fn tasks_that_wake_each_other_run_to_the_end() {
    let client = Server::new().client();
    let mailboxes: [Arc<Mailbox<u32>>; 3] = std::array::from_fn(|_| Arc::new(Mailbox::new()));
    let order = Order::default();
    for at in 0..2 {
        let (from, to) = (Arc::clone(&mailboxes[at]), Arc::clone(&mailboxes[at + 1]));
        let order = Arc::clone(&order);
        client.spawn(Box::pin(async move {
            let value = receive(&from).await;
            post(&order, value);
            deliver(&to, value + 1);
        }));
    }
    assert_eq!(client.tasks(), 2);
    deliver(&mailboxes[0], 1);
    assert_eq!(block_on(receive(&mailboxes[2])), 3);
    assert_eq!(*order.lock(), [1, 2]);
}

#[test]
fn a_task_that_wakes_itself_is_polled_again() {
    let client = Server::new().client();
    let polls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&polls);
    client.spawn(Box::pin(std::future::poll_fn(move |context| {
        *counted.lock() += 1;
        context.waker().wake_by_ref();
        context.waker().wake_by_ref();
        if *counted.lock() == 5 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })));
    assert_eq!(*polls.lock(), 5, "two wakes of one poll are one");
}

/// Waits in a task for another task, which only this thread can run.
#[test]
fn a_task_may_block_on_another_one() {
    let client = Server::new().client();
    let order = Order::default();
    let (backend, own) = (client.clone(), Arc::clone(&order));
    client.spawn(Box::pin(async move {
        let mailbox = Arc::new(Mailbox::new());
        let there = Arc::clone(&mailbox);
        let calls = backend.clone();
        backend.spawn(Box::pin(async move {
            calls.beat(7, 1000).await.unwrap();
            deliver(&there, 1);
        }));
        let value = block_on(receive(&mailbox));
        post(&own, value);
    }));
    assert_eq!(*order.lock(), [1]);
}

fn spawn_post(client: &ReferenceBackend, order: &Order, number: u32) {
    let order = Arc::clone(order);
    client.spawn(Box::pin(async move { post(&order, number) }));
}

#[test]
fn a_task_that_panics_stops_no_other_and_is_noticed() {
    let server = Server::new();
    let client = server.client();
    let order = Order::default();
    client.spawn(Box::pin(async {
        panic!("a task panics, as this test wants")
    }));
    spawn_post(&client, &order, 1);
    assert_eq!(*order.lock(), [1]);
    assert_eq!(client.tasks(), 0);
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.validate()));
    assert!(noticed.is_err());
}

#[test]
fn a_closed_backend_ends_its_tasks_and_takes_no_call() {
    let server = Server::new();
    let (client, other) = (server.client(), server.client());
    for client in [&client, &other] {
        client.spawn(client.sleep(1000));
    }
    client.close();
    assert_eq!((client.tasks(), other.tasks()), (0, 1));
    let order = Order::default();
    spawn_post(&client, &order, 1);
    assert!(order.lock().is_empty());
    let refused = block_on(client.beat(7, 1000)).unwrap_err();
    assert_eq!(refused.kind(), crate::ErrorKind::Closed);
    client.close();
    block_on(other.beat(7, 1000)).unwrap();
}

/// The task that closes goes on to its next wait.
#[test]
fn a_task_may_close_its_backend() {
    let client = Server::new().client();
    let order = Order::default();
    let (backend, own) = (client.clone(), Arc::clone(&order));
    client.spawn(Box::pin(async move {
        backend.close();
        post(&own, 1);
        backend.sleep(10).await;
        post(&own, 2);
    }));
    assert_eq!(*order.lock(), [1]);
    assert_eq!(client.tasks(), 0);
}
