use std::time::Duration;

use super::{change, claimed, key, read, submit, written};
use crate::ErrorKind;
use crate::backend::{Backend, Change, Expect, Filter, Outcome, PageQuery};
use crate::runtime::sync::block_on;
use crate::sim::{Leg, LinkFault, LinkFaults, ReferenceBackend, Server};

const ALWAYS: u32 = 10_000;

fn failing(fault: LinkFault) -> ReferenceBackend {
    let client = Server::new().client();
    client.set_faults(1, LinkFaults::none().rate(fault, ALWAYS));
    client
}

fn claim(nonce: u128) -> Change {
    change(&key("a"), nonce, Expect::Absent, claimed(0))
}

fn kind(client: &ReferenceBackend, change: Change) -> ErrorKind {
    submit(client, change).unwrap_err().kind()
}

#[test]
fn a_refused_call_is_not_carried_out() {
    let client = failing(LinkFault::Refused);
    assert_eq!(kind(&client, claim(1)), ErrorKind::Unavailable);
    assert_eq!(client.server().rows(), 0);
}

#[test]
fn a_lost_request_is_not_carried_out_and_its_sender_cannot_know() {
    let client = failing(LinkFault::LostRequest);
    assert_eq!(kind(&client, claim(1)), ErrorKind::Unknown);
    assert_eq!(client.server().rows(), 0);
    let looked = block_on(client.read(vec![key("a")])).unwrap_err();
    assert_eq!(
        looked.kind(),
        ErrorKind::Unavailable,
        "a look changes nothing"
    );
    let asked = block_on(client.manifest(None)).unwrap_err();
    assert_eq!(asked.kind(), ErrorKind::Unavailable);
    let beat = block_on(client.beat(7, 1)).unwrap_err();
    assert_eq!(beat.kind(), ErrorKind::Unknown);
}

#[test]
fn a_change_whose_answer_was_lost_is_recognised_when_it_comes_again() {
    let client = failing(LinkFault::LostAnswer);
    assert_eq!(kind(&client, claim(1)), ErrorKind::Unknown);
    assert_eq!(client.server().rows(), 1);
    client.set_faults(1, LinkFaults::none());
    let row = written(&client, claim(1));
    assert_eq!(row.nonce, 1);
    assert!(matches!(
        submit(&client, claim(2)).unwrap(),
        Outcome::Other(Some(_))
    ));
}

#[test]
fn a_loss_is_noticed_after_its_time() {
    let client = Server::new().client();
    let faults = LinkFaults::none()
        .rate(LinkFault::LostAnswer, ALWAYS)
        .notice_after(Duration::from_secs(2));
    client.set_faults(1, faults);
    let answer = client.submit(vec![claim(1)]);
    assert_eq!(client.pending()[0].leg, Leg::Loss);
    client.server().clock().advance(Duration::from_millis(1999));
    assert_eq!(client.pending().len(), 1);
    client.server().clock().advance(Duration::from_millis(1));
    assert!(client.pending().is_empty());
    assert_eq!(block_on(answer).unwrap_err().kind(), ErrorKind::Unknown);
}

#[test]
fn a_request_that_comes_twice_does_no_harm_however_late() {
    let client = Server::new().client();
    client.set_faults(
        1,
        LinkFaults::none().rate(LinkFault::Twice, ALWAYS).by_hand(),
    );
    let row = written(&client, claim(1));
    assert_eq!(client.pending()[0].leg, Leg::Copy);
    assert_eq!(client.pending()[0].call, "submit");
    client.set_faults(1, LinkFaults::none());
    let mut draft = super::completed(60);
    draft.token = Some(row.token);
    let settled = written(&client, change(&key("a"), 2, Expect::Row(1), draft));
    assert!(client.deliver_one(0));
    assert!(client.pending().is_empty());
    assert_eq!(read(&client, &key("a")), Some(settled));
    client.server().validate();
}

#[test]
fn the_driver_chooses_who_is_first() {
    let server = Server::new();
    let clients = [server.client(), server.client()];
    let by_hand = LinkFaults::none()
        .rate(LinkFault::LateRequest, ALWAYS)
        .rate(LinkFault::LateAnswer, ALWAYS)
        .by_hand();
    let mut answers = Vec::new();
    for (client, nonce) in clients.iter().zip(1..) {
        client.set_faults(7, by_hand.clone());
        answers.push(client.submit(vec![claim(nonce)]));
        assert_eq!(client.pending()[0].leg, Leg::Request);
    }
    assert_eq!(server.rows(), 0);
    server.clock().advance(Duration::from_secs(3600));
    assert_eq!(server.rows(), 0, "no time delivers what the driver holds");
    assert!(clients[1].deliver_one(0));
    assert_eq!(clients[1].pending()[0].leg, Leg::Answer);
    clients[0].deliver_all();
    clients[1].deliver_all();
    assert!(!clients[0].deliver_one(0));
    let second = block_on(answers.pop().unwrap()).unwrap().found;
    let first = block_on(answers.pop().unwrap()).unwrap().found;
    assert!(matches!(&second[..], [Outcome::Done(Some(row))] if row.nonce == 2));
    assert!(matches!(&first[..], [Outcome::Other(Some(row))] if row.nonce == 2));
}

#[test]
fn what_is_late_arrives_with_time() {
    let client = Server::new().client();
    let faults = LinkFaults::none()
        .rate(LinkFault::LateRequest, ALWAYS)
        .rate(LinkFault::LateAnswer, ALWAYS)
        .delay(Duration::from_millis(50));
    client.set_faults(3, faults);
    let answer = client.submit(vec![claim(1)]);
    let dropped = client.beat(7, 1_000_000);
    drop(dropped);
    client.server().clock().advance(Duration::from_millis(100));
    assert!(client.pending().is_empty());
    assert!(block_on(answer).is_ok());
    client.set_faults(3, LinkFaults::none());
    let mut draft = claimed(7);
    draft.metadata = super::bytes("");
    let row = written(&client, change(&key("b"), 2, Expect::Absent, draft));
    let alive = row
        .run
        .is_some_and(|run| run.alive_until_ms > client.server().now_ms());
    assert!(
        alive,
        "an answer that is not waited for leaves its call sent"
    );
}

#[test]
fn a_cut_link_fails_until_it_is_healed() {
    let client = Server::new().client();
    client.cut();
    let mut kinds: Vec<_> = (1..20).map(|nonce| kind(&client, claim(nonce))).collect();
    kinds.sort_by_key(|kind| kind.name());
    kinds.dedup();
    assert_eq!(kinds, [ErrorKind::Unavailable, ErrorKind::Unknown]);
    assert_eq!(client.server().rows(), 0);
    client.heal();
    written(&client, claim(1));
    client.set_faults(
        1,
        LinkFaults::none()
            .rate(LinkFault::LateAnswer, ALWAYS)
            .by_hand(),
    );
    let page = client.page(PageQuery {
        namespace: None,
        filter: Filter::All,
        after: None,
        limit: 1,
    });
    client.cut();
    assert!(client.deliver_one(0));
    assert_eq!(block_on(page).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn a_hint_may_be_lost() {
    let client = failing(LinkFault::LostHint);
    let mut watch = client.watch(vec![key("a")]);
    written(&client, claim(1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(watch.as_mut().poll(&mut context).is_pending());
}

/// What happened to twenty claims under this seed.
fn history(seed: u64) -> Vec<String> {
    let client = Server::new().client();
    let faults = LinkFaults::none()
        .rate(LinkFault::Refused, 2000)
        .rate(LinkFault::LostRequest, 2000)
        .rate(LinkFault::LostAnswer, 2000)
        .rate(LinkFault::Twice, 2000);
    client.set_faults(seed, faults);
    let claims = (1..20).map(|nonce| format!("{:?}", submit(&client, claim(nonce))));
    claims.collect()
}

#[test]
fn a_seed_repeats_its_faults() {
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}
