//! What callers hear when the server cannot be used, and what no error shows.

use std::time::Duration;

use hapax::backend::Backend;
use hapax::{Error, ErrorKind};
use hapax_postgres::Options;

use crate::cluster::Cluster;
use crate::world::{World, absent_to, key, options, running};

const SECRET: &str = "opensesame";

fn refused(url: &str) -> Error {
    let options = options("errors").connect_timeout(Duration::from_secs(2));
    let opened = hapax_postgres::backend(url, &options);
    let error = opened.expect_err("it cannot be used");
    for text in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        assert!(!text.contains("sesame"), "{url}: {text}");
    }
    error
}

#[test]
fn no_error_shows_a_password() {
    for (url, kind) in [
        (
            "postgres://u:opensesame@127.0.0.1:1/db",
            ErrorKind::Unavailable,
        ),
        ("postgres://u:opensesame@/db", ErrorKind::Invalid),
        ("postgres://u:opensesame@host:port/db", ErrorKind::Invalid),
        ("host=h password=opensesame sesame=1", ErrorKind::Invalid),
        ("opensesame", ErrorKind::Invalid),
    ] {
        assert_eq!(refused(url).kind(), kind, "{url}");
    }
    for url in [
        "postgres://u:opensesame@127.0.0.1:1/db?sslmode=require",
        "postgres://u:opensesame@127.0.0.1:1/db?sslmode=verify-full",
    ] {
        let kind = match cfg!(feature = "tls") {
            true => ErrorKind::Unavailable,
            false => ErrorKind::Unsupported,
        };
        assert_eq!(refused(url).kind(), kind, "{url}");
    }
    // Passwords that should have been escaped.
    for url in [
        "postgres://u:open/sesame@127.0.0.1:1/db",
        "postgres://u:x?sesame=1@127.0.0.1:1/db",
        "postgres://u:open@sesame@127.0.0.1:1/db",
    ] {
        refused(url);
    }
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let port = cluster.port();
    let wrong = refused(&format!(
        "postgres://hapax:{SECRET}@127.0.0.1:{port}/postgres"
    ));
    assert_eq!(wrong.kind(), ErrorKind::Invalid, "{wrong}");
    let nowhere = refused(&cluster.url().replace("dbname=postgres", "dbname=nowhere"));
    assert_eq!(nowhere.kind(), ErrorKind::Invalid, "{nowhere}");
}

#[test]
fn what_is_shown_has_no_password() {
    let Some(world) = World::new("errors_debug") else {
        return;
    };
    let url = format!("{} password={SECRET}", world.url);
    let server = hapax_postgres::backend(&url, &options("errors_debug")).expect("it runs");
    let shown = format!("{server:?} {:?}", Options::new());
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("errors_debug"), "{shown}");
}

#[test]
fn a_server_that_does_not_answer_in_time_leaves_it_unknown() {
    let Some(world) = World::new("errors_deadline") else {
        return;
    };
    let options = options("errors_deadline").statement_deadline(Duration::from_millis(300));
    let hasty = hapax_postgres::backend(&world.url, &options).expect("it runs");
    // The clock of the server takes long, once.
    world.run(
        "CREATE OR REPLACE FUNCTION {s}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
         $$ SELECT 1000000 + (pg_sleep(2) IS NULL)::int::bigint $$",
    );
    let claim = absent_to(&key("a"), running(60_000));
    let sent = world.wait(hasty.submit(vec![claim.clone()]));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unknown);
    let read = world.wait(hasty.read(vec![key("a")]));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    world.stop_clock(1_000_000);
    // It was not cancelled, so it was carried out.
    world.until("the claim stands", || world.read(&key("a")).is_some());
    let again = world
        .wait(hasty.submit(vec![claim.clone()]))
        .expect("it runs");
    let row = crate::world::done(again.found[0].clone()).expect("a row");
    assert_eq!(row.nonce, claim.nonce, "recognised by its nonce");
}

#[test]
fn a_key_that_stays_locked_is_unavailable() {
    let Some(world) = World::new("errors_locked") else {
        return;
    };
    let options = options("errors_locked").statement_deadline(Duration::from_millis(2000));
    let hasty = hapax_postgres::backend(&world.url, &options).expect("it runs");
    let row = world.put(&key("a"), running(60_000));
    world.run("BEGIN; SELECT FROM {s}.keys FOR UPDATE");
    let change = crate::world::row_to(&key("a"), row.nonce, running(1));
    let sent = world.wait(hasty.submit(vec![change]));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unavailable);
    world.run("ROLLBACK");
    assert_eq!(world.read(&key("a")), Some(row));
}

#[test]
fn one_change_that_the_server_refuses_fails_alone() {
    let Some(world) = World::new("errors_data") else {
        return;
    };
    world.run("ALTER TABLE {s}.keys ADD CHECK (key <> 'bad')");
    let names = ["a", "bad", "c", "d"];
    let answers: Vec<_> = names
        .iter()
        .map(|name| world.server.submit(vec![absent_to(&key(name), running(1))]))
        .collect();
    for (name, answer) in names.iter().zip(answers) {
        let answer = world.wait(answer);
        match *name {
            "bad" => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Invalid),
            _ => assert!(answer.is_ok(), "{name}: {answer:?}"),
        }
    }
}

#[test]
fn another_isolation_level_is_refused() {
    let Some(world) = World::new("errors_isolation") else {
        return;
    };
    world.run(
        "CREATE ROLE strict LOGIN SUPERUSER;
         ALTER ROLE strict SET default_transaction_isolation = 'repeatable read'",
    );
    let url = world.url.replace("user=hapax", "user=strict");
    let error = hapax_postgres::backend(&url, &options("errors_isolation")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
