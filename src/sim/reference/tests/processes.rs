use std::time::Duration;

use super::{change, claimed, key, read, submit, written};
use crate::backend::{Backend, Change, Expect, Filter, Outcome, PageQuery, Row};
use crate::runtime::sync::block_on;
use crate::sim::{ReferenceBackend, Server};

fn alive_until_ms(row: &Row) -> u64 {
    row.run.as_ref().expect("it is in progress").alive_until_ms
}

fn renewal(nonce: u128, expected: &Row) -> Change {
    let mut draft = claimed(7);
    draft.token = Some(expected.token);
    Change {
        only_leased: true,
        ..change(&key("a"), nonce, Expect::Row(expected.nonce), draft)
    }
}

fn claim(client: &ReferenceBackend) -> Row {
    written(client, change(&key("a"), 1, Expect::Absent, claimed(7)))
}

#[test]
fn a_process_is_alive_as_long_as_its_last_sign_of_life_says() {
    let client = Server::new().client();
    let clock = client.server().clock().clone();
    let now_ms = block_on(client.beat(7, 1000)).unwrap();
    assert_eq!(now_ms, client.server().now_ms());
    let row = claim(&client);
    assert_eq!(alive_until_ms(&row), now_ms + 1000);
    clock.advance(Duration::from_millis(600));
    block_on(client.beat(7, 1000)).unwrap();
    let seen = read(&client, &key("a")).unwrap();
    assert_eq!(alive_until_ms(&seen), now_ms + 1600, "kept by process");
    let all = PageQuery {
        namespace: None,
        filter: Filter::All,
        after: None,
        limit: 9,
    };
    let page = block_on(client.page(all)).unwrap().found;
    assert_eq!(alive_until_ms(&page[0].1), now_ms + 1600);
    clock.advance(Duration::from_millis(999));
    let row = written(&client, renewal(2, &row));
    clock.advance(Duration::from_millis(1));
    let lapsed = submit(&client, renewal(3, &row)).unwrap();
    assert_eq!(lapsed, Outcome::Other(Some(row.clone())));
    block_on(client.beat(7, 1000)).unwrap();
    written(&client, renewal(4, &row));
    client.server().validate();
}

#[test]
fn the_leases_of_a_process_that_left_end_for_good() {
    let client = Server::new().client();
    let row = claim(&client);
    assert_eq!(alive_until_ms(&row), 0, "it gave no sign of life");
    block_on(client.beat(7, 1000)).unwrap();
    let row = written(&client, renewal(2, &row));
    block_on(client.leave(7)).unwrap();
    assert_eq!(alive_until_ms(&read(&client, &key("a")).unwrap()), 0);
    let lapsed = submit(&client, renewal(3, &row)).unwrap();
    assert!(matches!(lapsed, Outcome::Other(Some(_))));
    block_on(client.beat(7, 1000)).unwrap();
    let seen = read(&client, &key("a")).unwrap();
    assert_eq!(alive_until_ms(&seen), 0, "the sign came late");
    let again = written(&client, change(&key("a"), 4, Expect::Row(2), claimed(8)));
    assert!(again.token > row.token);
    client.server().validate();
}
