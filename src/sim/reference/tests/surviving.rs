use super::{bytes, change, claimed, key, read, removal, submit, written};
use crate::backend::{Backend, Change, Expect, ManifestEdit, Outcome};
use crate::runtime::sync::block_on;
use crate::sim::Server;

#[test]
fn a_failover_loses_the_newest_changes_and_repeats_no_token() {
    let server = Server::new();
    let client = server.client();
    let kept = written(&client, change(&key("a"), 1, Expect::Absent, claimed(0)));
    let mark = server.mark();
    let lost = Change {
        durable: true,
        ..change(&key("b"), 2, Expect::Absent, claimed(0))
    };
    let lost = written(&client, lost);
    let gone = removal(&key("a"), 3, Expect::Row(1));
    assert_eq!(submit(&client, gone).unwrap(), Outcome::Done(None));
    let edit = ManifestEdit {
        expect: 0,
        bytes: bytes("first"),
        names: Vec::new(),
    };
    assert!(block_on(client.manifest(Some(edit))).unwrap().is_some());
    let watch = client.watch(vec![key("b")]);
    server.lose_since(&mark);
    block_on(watch);
    assert_eq!(read(&client, &key("a")), Some(kept));
    assert_eq!(read(&client, &key("b")), None);
    assert_eq!(block_on(client.manifest(None)).unwrap(), None);
    let mut highest = lost.token;
    for nonce in 4..7 {
        let row = written(
            &client,
            change(&key(&nonce.to_string()), nonce, Expect::Absent, claimed(0)),
        );
        assert!(row.token > highest, "no token is drawn twice");
        highest = row.token;
        // The same mark again: the epoch rises from the newest one, not from that of the mark.
        server.lose_since(&mark);
        server.validate();
    }
}

#[test]
fn a_restart_loses_what_came_behind_the_last_durable_change() {
    let server = Server::new();
    let client = server.client();
    written(&client, change(&key("a"), 1, Expect::Absent, claimed(0)));
    let durable = Change {
        durable: true,
        ..change(&key("b"), 2, Expect::Absent, claimed(0))
    };
    let b = written(&client, durable);
    let mut draft = claimed(0);
    draft.token = Some(b.token);
    written(&client, change(&key("b"), 3, Expect::Row(2), draft));
    let c = written(&client, change(&key("c"), 4, Expect::Absent, claimed(0)));
    submit(&client, removal(&key("a"), 5, Expect::Row(1))).unwrap();
    server.restart();
    assert!(read(&client, &key("a")).is_some(), "written before");
    assert_eq!(read(&client, &key("b")), Some(b));
    assert_eq!(read(&client, &key("c")), None);
    let again = written(&client, change(&key("c"), 6, Expect::Absent, claimed(0)));
    assert!(again.token > c.token);
    server.validate();
}
