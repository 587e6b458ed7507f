//! The manifest: of editors that race, one wins each revision.

use std::sync::Arc;

use hapax::backend::{Backend, ManifestEdit};

use crate::cluster::runtime;
use crate::world::{World, bytes};

fn edit(expect: u64, text: &str, names: &[(u32, &str)]) -> Option<ManifestEdit> {
    Some(ManifestEdit {
        expect,
        bytes: bytes(text),
        names: names
            .iter()
            .map(|&(id, name)| (id, name.to_owned()))
            .collect(),
    })
}

#[test]
fn an_edit_that_comes_too_late_changes_nothing() {
    let Some(world) = World::new("manifest_late") else {
        return;
    };
    let none = world.wait(world.server.manifest(None)).expect("it runs");
    assert_eq!(none, None);
    let late = world.wait(world.server.manifest(edit(1, "x", &[])));
    assert_eq!(late.expect("it runs"), None, "no manifest is there to edit");
    let first = edit(0, "one", &[(1, "mail"), (2, "pay")]);
    let first = world.wait(world.server.manifest(first)).expect("it runs");
    let first = first.expect("it was edited");
    assert_eq!((first.revision, &*first.bytes), (1, &b"one"[..]));
    let late = world.wait(world.server.manifest(edit(0, "two", &[(3, "late")])));
    assert_eq!(late.expect("it runs"), Some(first));
    let second = edit(1, "two", &[(2, "payments"), (u32::MAX, "jobs\0")]);
    let second = world.wait(world.server.manifest(second)).expect("it runs");
    assert_eq!(second.map(|newest| newest.revision), Some(2));
    let names: String = world.sql.get(
        "SELECT string_agg(id || ' ' || name, ', ' ORDER BY id) FROM manifest_late.namespaces",
    );
    assert_eq!(names, "2 payments, 4294967295 jobs\u{fffd}");
}

#[test]
fn of_editors_that_race_one_wins_each_revision() {
    let Some(world) = World::new("manifest_race") else {
        return;
    };
    let servers = [Arc::clone(&world.server), world.other(), world.other()];
    std::thread::scope(|scope| {
        for server in &servers {
            scope.spawn(move || {
                let runtime = runtime();
                let mut won = 0;
                while won < 20 {
                    let newest = runtime.block_on(server.manifest(None)).expect("it runs");
                    let (revision, count) =
                        newest.map_or((0, 0), |newest| (newest.revision, newest.bytes.len()));
                    let text = "x".repeat(count + 1);
                    let edited = runtime.block_on(server.manifest(edit(revision, &text, &[])));
                    let edited = edited.expect("it runs").expect("there is one");
                    won += usize::from(edited.revision == revision + 1);
                }
            });
        }
    });
    let newest = world.wait(world.server.manifest(None)).expect("it runs");
    let newest = newest.expect("there is one");
    let length = u64::try_from(newest.bytes.len()).expect("it is small");
    assert_eq!(newest.revision, length, "no edit was lost");
}
