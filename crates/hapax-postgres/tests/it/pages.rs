//! Pages: the order of keys, and no row twice or never.

use hapax::backend::{Backend, Ends, Filter, KeyRef, PageQuery, RowState, Stored};

use crate::world::{World, absent_to, completed, done, key, removal, row_to, running};

fn page(world: &World, query: &PageQuery) -> Vec<Stored> {
    let answered = world.wait(world.server.page(query.clone()));
    let answered = answered.expect("the server runs");
    assert!(answered.now_ms > 0);
    answered.found
}

fn all(world: &World, namespace: Option<u32>, filter: Filter, limit: usize) -> Vec<Stored> {
    let mut query = PageQuery {
        namespace,
        filter,
        after: None,
        limit,
    };
    let mut rows: Vec<Stored> = Vec::new();
    loop {
        let next = page(world, &query);
        let is_last = next.len() < limit;
        rows.extend(next);
        if is_last {
            return rows;
        }
        query.after = rows.last().map(|(key, _)| key.clone());
    }
}

fn names(rows: &[Stored]) -> Vec<KeyRef> {
    rows.iter().map(|(key, _)| key.clone()).collect()
}

#[test]
fn pages_have_each_row_once_in_order() {
    let Some(world) = World::new("pages_order") else {
        return;
    };
    let mut keys = Vec::new();
    for namespace in [0, 1, 7, u32::MAX] {
        for name in ["a", "ab", "b", "\u{0}", "\u{7f}", "zz"] {
            keys.push(KeyRef {
                namespace,
                ..key(name)
            });
        }
    }
    for key in &keys {
        world.put(key, completed("x"));
    }
    let mut expired = completed("x");
    expired.expires = Ends::At(1);
    world.put(&key("aa"), expired);
    let gone = world.put(&key("ba"), completed("x"));
    done(world.submit(removal(&key("ba"), gone.nonce)));
    keys.sort();
    for limit in [1, 2, 5, 6, 100] {
        assert_eq!(names(&all(&world, None, Filter::All, limit)), keys);
        for namespace in [0, 1, 7, u32::MAX] {
            let mine = keys.iter().filter(|key| key.namespace == namespace);
            let mine: Vec<_> = mine.cloned().collect();
            let found = all(&world, Some(namespace), Filter::All, limit);
            assert_eq!(names(&found), mine);
        }
        assert_eq!(all(&world, Some(3), Filter::All, limit), []);
    }
    // A position before the namespace belongs to none of its keys.
    let query = PageQuery {
        namespace: Some(7),
        filter: Filter::All,
        after: Some(KeyRef {
            namespace: 1,
            ..key("zz")
        }),
        limit: 1,
    };
    assert_eq!(page(&world, &query)[0].0.namespace, 7);
}

#[test]
fn unsettled_rows_are_found_without_the_others() {
    let Some(world) = World::new("pages_unsettled") else {
        return;
    };
    let mut want = Vec::new();
    for at in 0..60 {
        let key = key(&format!("{at:02}"));
        let row = world.put(&key, running(600_000));
        let draft = match at % 6 {
            0 => completed("done"),
            1 => {
                let mut doubt = completed("");
                doubt.state = RowState::InDoubt;
                doubt.expires = Ends::Never;
                doubt
            }
            2 => running(1),
            3 => {
                done(world.submit(removal(&key, row.nonce)));
                continue;
            }
            4 => {
                let mut released = completed("");
                released.state = RowState::Released;
                released
            }
            _ => {
                want.push(key);
                continue;
            }
        };
        if at % 6 == 1 || at % 6 == 2 {
            want.push(key.clone());
        }
        done(world.submit(row_to(&key, row.nonce, draft)));
    }
    want.sort();
    for limit in [1, 7, 30, 31, 100] {
        let found = all(&world, Some(7), Filter::Unsettled, limit);
        assert_eq!(names(&found), want);
    }
    // What the sweeper leaves is enough.
    world.wait(world.server.sweep_once()).expect("it runs");
    assert_eq!(world.count("SELECT count(*) FROM {s}.unsettled"), 30);
    assert_eq!(names(&all(&world, None, Filter::Unsettled, 100)), want);
    // A settled key that is claimed again comes back.
    let again = done(world.submit(absent_to(&key("new"), running(1)))).expect("a row");
    world.wait(world.server.sweep_once()).expect("it runs");
    want.push(key("new"));
    assert_eq!(names(&all(&world, None, Filter::Unsettled, 100)), want);
    assert_eq!(again.state, RowState::InProgress);
}
