use std::sync::Arc;
use std::time::Duration;

use super::{change, claimed, key, read};
use crate::ErrorKind;
use crate::backend::{Backend, Expect};
use crate::runtime::sync::{Mutex, block_on};
use crate::sim::{LinkFault, LinkFaults, ReferenceBackend, Server};

/// Calls its server when it is dropped, as a lease does.
struct Calls(ReferenceBackend, Arc<Mutex<Vec<ErrorKind>>>);

impl Drop for Calls {
    fn drop(&mut self) {
        let failed = block_on(self.0.leave(7)).unwrap_err();
        self.1.lock().push(failed.kind());
    }
}

#[test]
fn nothing_of_a_crashed_process_runs() {
    let server = Server::new();
    let client = server.client();
    block_on(client.beat(7, 1000)).unwrap();
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let (calls, backend) = (Calls(client.clone(), Arc::clone(&kinds)), client.clone());
    let beats = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&beats);
    client.spawn(Box::pin(async move {
        let _calls = calls;
        loop {
            backend.sleep(100).await;
            *counted.lock() += 1;
        }
    }));
    server.clock().advance(Duration::from_millis(200));
    client.crash();
    assert_eq!(client.tasks(), 0);
    assert_eq!(*kinds.lock(), [ErrorKind::Unavailable], "it does not leave");
    server.clock().advance(Duration::from_secs(10));
    assert_eq!(*beats.lock(), 2);
    client.close();
    let claim = change(&key("a"), 1, Expect::Absent, claimed(7));
    let refused = block_on(client.submit(vec![claim])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    server.validate();
}

#[test]
fn a_request_may_arrive_after_its_sender_has_crashed() {
    let server = Server::new();
    let client = server.client();
    let faults = LinkFaults::none().rate(LinkFault::LateRequest, 10_000);
    client.set_faults(1, faults.by_hand());
    let claim = change(&key("a"), 1, Expect::Absent, claimed(7));
    let answer = client.submit(vec![claim]);
    client.crash();
    let noticed = block_on(answer).unwrap_err();
    assert_eq!(noticed.kind(), ErrorKind::Unknown);
    assert!(read(&server.client(), &key("a")).is_none());
    assert!(client.deliver_one(0));
    assert!(read(&server.client(), &key("a")).is_some());
    assert!(client.pending().is_empty());
}

#[test]
fn a_task_that_crashes_its_process_is_gone_with_it() {
    let client = Server::new().client();
    let reached = Arc::new(Mutex::new(false));
    let (backend, there) = (client.clone(), Arc::clone(&reached));
    client.spawn(Box::pin(async move {
        backend.crash();
        backend.sleep(0).await;
        backend.sleep(1).await;
        *there.lock() = true;
    }));
    assert_eq!(client.tasks(), 0);
    client.server().clock().advance(Duration::from_secs(1));
    assert!(!*reached.lock());
}

#[test]
fn what_was_sent_is_carried_out_by_close() {
    let server = Server::new();
    let client = server.client();
    let faults = LinkFaults::none()
        .rate(LinkFault::LateRequest, 10_000)
        .rate(LinkFault::LateAnswer, 10_000);
    client.set_faults(1, faults.by_hand());
    let claim = change(&key("a"), 1, Expect::Absent, claimed(7));
    let answer = client.submit(vec![claim]);
    client.close();
    assert!(block_on(answer).is_ok());
    assert!(read(&server.client(), &key("a")).is_some());
}
