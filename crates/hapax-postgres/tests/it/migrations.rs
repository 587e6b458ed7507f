//! The schema: made once, and refused where this program does not know it.

use std::sync::Barrier;

use hapax::ErrorKind;
use hapax::backend::Backend;
use hapax_postgres::Options;

use crate::cluster::Cluster;
use crate::world::{Sql, World, options};

#[test]
fn a_schema_is_made_once() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let options = options("migrate_once");
    let error = hapax_postgres::backend(&cluster.url(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore);
    assert!(
        error.to_string().contains("hapax_postgres::migrate"),
        "{error}"
    );
    assert!(
        error.to_string().contains("Options::migrate(true)"),
        "{error}"
    );
    let first = hapax_postgres::migrate(&cluster.url(), &options).expect("it can be made");
    assert_eq!(first.before(), None);
    assert!(first.changed());
    let second = hapax_postgres::migrate(&cluster.url(), &options).expect("it is there");
    assert_eq!(second.before(), Some(first.format()));
    assert!(!second.changed());
    assert!(hapax_postgres::backend(&cluster.url(), &options).is_ok());
}

#[test]
fn two_who_make_it_at_once_agree() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let options = options("migrate_race").migrate(true);
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                start.wait();
                let opened = hapax_postgres::backend(&cluster.url(), &options);
                opened.expect("each finds a schema");
            });
        }
    });
}

#[test]
fn a_newer_schema_is_refused() {
    let Some(world) = World::new("migrate_newer") else {
        return;
    };
    world.run("UPDATE {s}.meta SET format = 1000");
    for migrate in [false, true] {
        let options = options("migrate_newer").migrate(migrate);
        let error = hapax_postgres::backend(&world.url, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("newer hapax"), "{error}");
    }
    world.run("UPDATE {s}.meta SET format = 1");
    let options = options("migrate_newer");
    let error = hapax_postgres::backend(&world.url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(
        error.to_string().contains("hapax_postgres::migrate"),
        "{error}"
    );
}

#[test]
fn a_migration_that_fails_leaves_nothing() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let sql = Sql::open(&cluster.url());
    sql.run("CREATE SCHEMA migrate_fails; CREATE TABLE migrate_fails.sweeper (x int)");
    let options = options("migrate_fails");
    assert!(hapax_postgres::migrate(&cluster.url(), &options).is_err());
    let tables: i64 = sql.get("SELECT count(*) FROM pg_tables WHERE schemaname = 'migrate_fails'");
    assert_eq!(tables, 1);
    sql.run("DROP TABLE migrate_fails.sweeper");
    assert!(hapax_postgres::migrate(&cluster.url(), &options).is_ok());
}

#[test]
fn a_name_of_a_schema_is_plain() {
    let long = "x".repeat(64);
    for name in ["", "Big", "a b", "a\"b", "1a", "a;b", "a'b", &long] {
        let options = Options::new().schema(name);
        let error = hapax_postgres::backend("host=/nowhere user=x", &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
}

#[test]
fn a_role_without_rights_but_these_is_enough() {
    let Some(world) = World::new("migrate_role") else {
        return;
    };
    world.run(
        "CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA {s} TO app;
         GRANT ALL ON ALL TABLES IN SCHEMA {s} TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA {s} TO app",
    );
    let url = world.url.replace("user=hapax", "user=app");
    let server = hapax_postgres::backend(&url, &options("migrate_role")).expect("it may");
    let claim = crate::world::absent_to(&crate::world::key("a"), crate::world::running(1));
    let answered = world.wait(server.submit(vec![claim]));
    assert!(answered.is_ok(), "{answered:?}");
}
