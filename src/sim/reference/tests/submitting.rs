use std::time::Duration;

use super::{LEASE_MS, change, claimed, completed, key, read, removal, submit, written};
use crate::backend::{Backend, Change, Ends, Expect, LeaseEnd, Outcome};
use crate::runtime::sync::block_on;
use crate::sim::Server;
use crate::value::error::ErrorKind;

#[test]
fn a_row_is_written_where_none_is_and_stays_where_one_is() {
    let client = Server::new().client();
    let first = written(&client, change(&key("a"), 1, Expect::Absent, claimed(0)));
    assert_eq!((first.nonce, first.attempt), (1, 1));
    let run = first.run.as_ref().expect("it is in progress");
    assert_eq!(run.alive_until_ms, u64::MAX, "it has no process");
    assert_eq!(run.lease_until_ms, client.server().now_ms() + LEASE_MS);
    let late = submit(&client, change(&key("a"), 2, Expect::Absent, claimed(0)));
    assert_eq!(late.unwrap(), Outcome::Other(Some(first.clone())));
    assert_eq!(read(&client, &key("a")), Some(first));
    client.server().validate();
}

#[test]
fn a_row_takes_the_place_of_the_one_that_its_writer_saw() {
    let client = Server::new().client();
    let missed = change(&key("a"), 1, Expect::Row(9), completed(60));
    assert_eq!(submit(&client, missed).unwrap(), Outcome::Other(None));
    let first = written(&client, change(&key("a"), 2, Expect::Absent, claimed(0)));
    let other = change(&key("a"), 3, Expect::Row(9), completed(60));
    assert_eq!(
        submit(&client, other).unwrap(),
        Outcome::Other(Some(first.clone()))
    );
    let mut draft = completed(60);
    draft.token = Some(first.token);
    let second = written(&client, change(&key("a"), 4, Expect::Row(2), draft));
    assert_eq!((second.nonce, second.token), (4, first.token));
    let late = removal(&key("a"), 5, Expect::Row(2));
    assert_eq!(submit(&client, late).unwrap(), Outcome::Other(Some(second)));
    let gone = removal(&key("a"), 6, Expect::Row(4));
    assert_eq!(submit(&client, gone).unwrap(), Outcome::Done(None));
    assert_eq!(read(&client, &key("a")), None);
    let nothing = removal(&key("a"), 7, Expect::Absent);
    assert_eq!(submit(&client, nothing).unwrap(), Outcome::Done(None));
    client.server().validate();
}

#[test]
fn a_change_that_is_sent_again_is_done_and_changes_nothing() {
    let client = Server::new().client();
    let claim = change(&key("a"), 1, Expect::Absent, claimed(0));
    let first = written(&client, claim.clone());
    client.server().clock().advance(Duration::from_secs(1));
    assert_eq!(written(&client, claim.clone()), first);
    let mut draft = completed(5);
    draft.token = Some(first.token);
    let outcome = change(&key("a"), 2, Expect::Row(1), draft);
    let second = written(&client, outcome.clone());
    assert_eq!(written(&client, outcome.clone()), second);
    assert_eq!(
        submit(&client, claim).unwrap(),
        Outcome::Other(Some(second.clone())),
        "another change came after it"
    );
    client.server().clock().advance(Duration::from_secs(60));
    assert_eq!(
        written(&client, outcome.clone()),
        second,
        "it was carried out, though its row has expired since"
    );
    let gone = removal(&key("a"), 3, Expect::Row(2));
    assert_eq!(
        submit(&client, gone).unwrap(),
        Outcome::Other(None),
        "an expired row is not there"
    );
    assert_eq!(client.server().sweep(), 1);
    assert_eq!(submit(&client, outcome).unwrap(), Outcome::Other(None));
}

#[test]
fn a_row_expires_with_the_first_moment_of_its_second() {
    let client = Server::new().client();
    let clock = client.server().clock().clone();
    clock.advance(Duration::from_millis(250));
    let row = written(&client, change(&key("a"), 1, Expect::Absent, completed(2)));
    let second = client.server().now_ms() / 1000 + 2;
    assert_eq!(row.expires_at.map(u64::from), Some(second));
    clock.advance(Duration::from_millis(1749));
    assert_eq!(client.server().now_ms(), second * 1000 - 1);
    assert_eq!(read(&client, &key("a")), Some(row.clone()));
    let early = change(&key("a"), 2, Expect::Absent, completed(2));
    assert_eq!(submit(&client, early).unwrap(), Outcome::Other(Some(row)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(read(&client, &key("a")), None);
    let late = change(&key("a"), 3, Expect::Row(1), completed(2));
    assert_eq!(submit(&client, late).unwrap(), Outcome::Other(None));
    let next = written(&client, change(&key("a"), 4, Expect::Absent, claimed(0)));
    assert_eq!(next.nonce, 4);
    client.server().validate();
}

#[test]
fn only_leased_ends_with_the_lease() {
    let client = Server::new().client();
    let clock = client.server().clock().clone();
    let leased = |nonce, expect, draft| Change {
        only_leased: true,
        ..change(&key("a"), nonce, expect, draft)
    };
    let nothing = submit(&client, leased(1, Expect::Absent, claimed(0))).unwrap();
    assert_eq!(nothing, Outcome::Other(None), "no lease runs");
    let first = written(&client, change(&key("a"), 2, Expect::Absent, claimed(0)));
    clock.advance(Duration::from_millis(LEASE_MS - 1));
    let mut renewed = claimed(0);
    renewed.token = Some(first.token);
    let second = written(&client, leased(3, Expect::Row(2), renewed.clone()));
    let ends = second.run.as_ref().map(|run| run.lease_until_ms);
    assert_eq!(ends, Some(client.server().now_ms() + LEASE_MS));
    clock.advance(Duration::from_millis(LEASE_MS));
    let lapsed = submit(&client, leased(4, Expect::Row(3), renewed)).unwrap();
    assert_eq!(lapsed, Outcome::Other(Some(second)));
    let taken = written(&client, change(&key("a"), 5, Expect::Row(3), claimed(0)));
    assert!(taken.token > first.token);
    let mut draft = completed(9);
    draft.token = Some(taken.token);
    let settled = written(&client, change(&key("a"), 6, Expect::Row(5), draft.clone()));
    let no_run = submit(&client, leased(7, Expect::Row(6), draft)).unwrap();
    assert_eq!(no_run, Outcome::Other(Some(settled)), "it has no lease");
    client.server().validate();
}

#[test]
fn moments_are_those_of_the_server() {
    let client = Server::new().client();
    let now_ms = client.server().now_ms();
    let mut draft = claimed(0);
    draft.expires = Ends::AfterLease(10);
    draft.run.as_mut().unwrap().lease_ends = LeaseEnd::AfterMsOrAt(5, now_ms + 7000);
    let row = written(&client, change(&key("a"), 1, Expect::Absent, draft));
    let run = row.run.as_ref().expect("it is in progress");
    assert_eq!(run.lease_until_ms, now_ms + 7000);
    let second = now_ms / 1000;
    assert_eq!(row.expires_at.map(u64::from), Some(second + 17));
    assert_eq!(u64::from(row.recorded_at), second);
    assert_eq!(u64::from(run.claimed_at), second);
}

#[test]
fn changes_of_one_call_stand_for_themselves() {
    let client = Server::new().client();
    let taken = written(&client, change(&key("b"), 1, Expect::Absent, claimed(0)));
    let changes = vec![
        change(&key("a"), 2, Expect::Absent, claimed(0)),
        change(&key("b"), 3, Expect::Absent, claimed(0)),
        removal(&key("c"), 4, Expect::Row(9)),
        change(&key("d"), 5, Expect::Absent, claimed(0)),
    ];
    let answer = block_on(client.submit(changes)).unwrap();
    assert_eq!(answer.now_ms, client.server().now_ms());
    let [
        Outcome::Done(Some(a)),
        Outcome::Other(Some(b)),
        Outcome::Other(None),
        Outcome::Done(Some(d)),
    ] = &answer.found[..]
    else {
        panic!("{answer:?}");
    };
    assert!(a.token < d.token && *b == taken);
    let keys = ["d", "c", "b", "a"].map(key);
    let found = block_on(client.read(keys.to_vec())).unwrap().found;
    let nonces: Vec<_> = found
        .iter()
        .map(|row| row.as_ref().map(|row| row.nonce))
        .collect();
    assert_eq!(nonces, [Some(5), None, Some(1), Some(2)]);
    client.server().validate();
}

#[test]
fn what_no_sender_may_send_is_refused_as_a_whole() {
    let client = Server::new().client();
    let first = change(&key("a"), 1, Expect::Absent, claimed(0));
    for second in [
        change(&key("a"), 2, Expect::Absent, claimed(0)),
        change(&key("b"), 0, Expect::Absent, claimed(0)),
    ] {
        let refused = block_on(client.submit(vec![first.clone(), second]));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(client.server().rows(), 0);
}

#[test]
#[should_panic(expected = "a row has a run if it is in progress")]
fn a_row_that_contradicts_itself_is_noticed() {
    let client = Server::new().client();
    let mut draft = completed(9);
    draft.run = claimed(0).run;
    written(&client, change(&key("a"), 1, Expect::Absent, draft));
    client.server().validate();
}

#[test]
#[should_panic(expected = "was never drawn")]
fn a_token_that_was_never_drawn_is_noticed() {
    let client = Server::new().client();
    let mut draft = completed(9);
    draft.token = crate::FencingToken::from_i64(i64::MAX);
    written(&client, change(&key("a"), 1, Expect::Absent, draft));
    client.server().validate();
}
