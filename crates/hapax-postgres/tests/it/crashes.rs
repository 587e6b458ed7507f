//! The server is killed under load: what it acknowledged as durable is there, and the rest was said to be open.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hapax::ErrorKind;
use hapax::backend::{Backend, Change, Outcome, Row};
use hapax_postgres::Postgres;

use crate::cluster::{Cluster, runtime};
use crate::world::{World, absent_to, completed, key, options, row_to, running};

/// Who write while the server dies.
const WRITERS: usize = 8;

/// The last row of each key that was acknowledged, and the change that came after without an answer.
#[derive(Debug)]
struct Written {
    row: Option<Row>,
    open: Option<Change>,
}

/// Claims and completes until the server is gone.
fn write(server: &Postgres, writer: usize, written: &Mutex<Vec<Written>>, stopped: &AtomicBool) {
    let runtime = runtime();
    for at in 0.. {
        let name = key(&format!("{writer}-{at}"));
        let claim = absent_to(&name, running(600_000));
        let completion = row_to(&name, claim.nonce, completed("answer"));
        let mut last = Written {
            row: None,
            open: None,
        };
        for change in [claim, completion] {
            match runtime.block_on(server.submit(vec![change.clone()])) {
                Ok(mut answered) => match answered.found.pop() {
                    Some(Outcome::Done(row)) => last.row = row,
                    other => panic!("{name:?}: {other:?}"),
                },
                Err(error) => {
                    let kind = error.kind();
                    let open = [ErrorKind::Unknown, ErrorKind::Unavailable];
                    assert!(open.contains(&kind), "{kind:?}: {error}");
                    last.open = (kind == ErrorKind::Unknown).then_some(change);
                    written.lock().expect("no writer panicked").push(last);
                    return;
                }
            }
        }
        written.lock().expect("no writer panicked").push(last);
        if stopped.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let Some(mut cluster) = Cluster::start(&["fsync=on"]) else {
        return;
    };
    let world = World::on(&cluster, "crash_load");
    let written = Mutex::new(Vec::new());
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, written, stopped) = (&world.server, &written, &stopped);
            scope.spawn(move || write(server, writer, written, stopped));
        }
        world.until("writers write", || {
            written.lock().expect("no writer panicked").len() > 400
        });
        cluster.kill();
    });
    stopped.store(true, Ordering::Relaxed);
    let written = written.into_inner().expect("no writer panicked");
    drop(world);
    cluster.run();
    let world = World::on(&cluster, "crash_load");
    let mut kept = 0;
    for last in &written {
        let name = match (&last.row, &last.open) {
            (Some(_), Some(open)) | (None, Some(open)) => Some(open.key.clone()),
            _ => None,
        };
        if let (Some(row), None) = (&last.row, &last.open) {
            let nonce = row.nonce;
            let found = world.count(&format!(
                "SELECT count(*) FROM {{s}}.keys WHERE nonce = '{nonce:032x}'"
            ));
            assert_eq!(found, 1, "{row:?}");
            kept += 1;
        }
        // What was open is one or the other, and the same change sent again settles it.
        if let (Some(name), Some(open)) = (name, &last.open) {
            let found = world.read(&name).map(|row| row.nonce);
            let before = last.row.as_ref().map(|row| row.nonce);
            assert!(found == before || found == Some(open.nonce), "{last:?}");
            let again = crate::world::done(world.submit(open.clone()));
            assert_eq!(again.map(|row| row.nonce), Some(open.nonce));
        }
    }
    eprintln!("{kept} rows were acknowledged and kept");
    assert!(kept > 300);
}

#[test]
fn a_backend_comes_back_with_its_server() {
    let Some(mut cluster) = Cluster::start(&["fsync=off"]) else {
        return;
    };
    let world = World::on(&cluster, "crash_back");
    let before = world.submit(absent_to(&key("a"), completed("x")));
    let before = crate::world::done(before).expect("a row");
    cluster.kill();
    let gone = world.wait(world.server.read(vec![key("a")]));
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Unavailable);
    let gone = world.wait(world.server.submit(vec![absent_to(&key("b"), running(1))]));
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Unavailable);
    let late = hapax_postgres::backend(
        &world.url,
        &options("crash_back").connect_timeout(Duration::from_secs(1)),
    );
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.run();
    world.until("it comes back", || {
        let answered = world.wait(world.server.read(vec![key("a")]));
        answered.is_ok_and(|answered| answered.found[0].as_ref() == Some(&before))
    });
    let claim = world.wait(world.server.submit(vec![absent_to(&key("b"), running(1))]));
    assert!(claim.is_ok(), "{claim:?}");
}

#[test]
fn a_read_replica_is_refused() {
    let Some(mut cluster) = Cluster::start(&["fsync=off"]) else {
        return;
    };
    drop(World::on(&cluster, "crash_replica"));
    cluster.stop();
    cluster.become_replica();
    cluster.run();
    let error = hapax_postgres::backend(&cluster.url(), &options("crash_replica")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // A pooler may turn to a replica behind a connection that was fit when it was made.
    let sql = crate::world::Sql::open(&cluster.url());
    for call in [
        "look('{1}', '{a}')",
        "page(false, -1, '', 9, 1)",
        "page(true, -1, '', 9, 1)",
    ] {
        let code = sql.refused(&format!("SELECT * FROM crash_replica.{call}"));
        assert_eq!(code, "25006", "{call}");
    }
}
