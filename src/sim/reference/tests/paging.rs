use std::time::Duration;

use super::{bytes, change, claimed, completed, key_of};
use crate::backend::{Backend, Expect, Filter, KeyRef, ManifestEdit, PageQuery, RowState};
use crate::runtime::sync::block_on;
use crate::sim::{ReferenceBackend, Server};

fn filled() -> ReferenceBackend {
    let client = Server::new().client();
    let mut doubt = completed(0);
    doubt.state = RowState::InDoubt;
    doubt.expires = crate::backend::Ends::Never;
    let rows = [
        (2, "b", claimed(0)),
        (1, "b", completed(60)),
        (1, "", completed(60)),
        (3, "a", completed(60)),
        (1, "ab", doubt),
        (1, "c", completed(1)),
        (2, "", completed(60)),
    ];
    let changes = rows
        .into_iter()
        .zip(1..)
        .map(|((namespace, text, draft), nonce)| {
            change(&key_of(namespace, text), nonce, Expect::Absent, draft)
        });
    block_on(client.submit(changes.collect())).unwrap();
    client.server().clock().advance(Duration::from_secs(1));
    client
}

fn pages(client: &ReferenceBackend, query: PageQuery) -> Vec<KeyRef> {
    let mut found = Vec::new();
    let mut query = query;
    loop {
        let page = block_on(client.page(query.clone())).unwrap().found;
        assert!(page.len() <= query.limit);
        let is_last = page.len() < query.limit;
        found.extend(page.into_iter().map(|(key, _)| key));
        if is_last {
            return found;
        }
        query.after = found.last().cloned();
    }
}

#[test]
fn pages_come_in_the_order_of_the_keys() {
    let client = filled();
    for limit in [1, 2, 3, 100] {
        let query = |namespace, filter, after| PageQuery {
            namespace,
            filter,
            after,
            limit,
        };
        let keys = |keys: &[(u32, &str)]| -> Vec<KeyRef> {
            keys.iter()
                .map(|(namespace, text)| key_of(*namespace, text))
                .collect()
        };
        assert_eq!(
            pages(&client, query(None, Filter::All, None)),
            keys(&[(1, ""), (1, "ab"), (1, "b"), (2, ""), (2, "b"), (3, "a")]),
            "what has expired is left out"
        );
        assert_eq!(
            pages(&client, query(Some(1), Filter::All, None)),
            keys(&[(1, ""), (1, "ab"), (1, "b")])
        );
        assert_eq!(
            pages(&client, query(None, Filter::Unsettled, None)),
            keys(&[(1, "ab"), (2, "b")])
        );
        assert_eq!(
            pages(&client, query(Some(2), Filter::All, Some(key_of(1, "z")))),
            keys(&[(2, ""), (2, "b")])
        );
        let none = query(Some(2), Filter::All, Some(key_of(3, "")));
        assert_eq!(pages(&client, none), []);
        assert_eq!(pages(&client, query(Some(9), Filter::All, None)), []);
    }
}

#[test]
fn a_manifest_is_edited_by_who_knows_the_newest() {
    let client = Server::new().client();
    let edit = |expect, text: &str| ManifestEdit {
        expect,
        bytes: bytes(text),
        names: vec![(1, text.to_owned())],
    };
    let ask = |edit| block_on(client.manifest(edit)).unwrap();
    assert_eq!(ask(None), None);
    assert_eq!(ask(Some(edit(3, "early"))), None);
    let first = ask(Some(edit(0, "first"))).unwrap();
    assert_eq!((first.revision, &*first.bytes), (1, &b"first"[..]));
    assert_eq!(ask(Some(edit(0, "late"))), Some(first.clone()));
    assert_eq!(ask(None), Some(first));
    let second = ask(Some(edit(1, "second"))).unwrap();
    assert_eq!((second.revision, &*second.bytes), (2, &b"second"[..]));
    assert_eq!(client.server().names(), [(1, "second".to_owned())]);
    client.server().validate();
}
