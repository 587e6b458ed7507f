//! Encrypted connections, and certificates that are not trusted.

use std::path::Path;
use std::process::Command;

use hapax::ErrorKind;
use hapax::backend::Backend;
use hapax_postgres::Options;

use crate::cluster::Cluster;
use crate::world::{World, absent_to, key, options, running};

/// A certificate of `localhost` that signs itself; `None`, loudly, without openssl.
fn certificate(folder: &Path) -> Option<()> {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost", "-keyout", "server.key"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-out", "server.crt"])
        .output();
    let made = made.is_ok_and(|made| made.status.success());
    if !made {
        crate::cluster::skipped("there is no openssl to make a certificate");
    }
    made.then_some(())
}

fn opened(url: &str, options: &Options) -> Result<(), ErrorKind> {
    let server = hapax_postgres::backend(url, options);
    server.map(drop).map_err(|error| error.kind())
}

#[test]
fn a_server_is_verified() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let Some(()) = certificate(folder.path()) else {
        return;
    };
    let Some(mut cluster) = Cluster::start(&["fsync=off"]) else {
        return;
    };
    let world = World::on(&cluster, "tls");
    world.run("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'secret'");
    drop(world);
    cluster.stop();
    cluster.speak_tls(folder.path());
    cluster.run();
    let pem = std::fs::read(folder.path().join("server.crt")).expect("it was made");
    let url = |host: &str, mode: &str| {
        let port = cluster.port();
        format!("postgres://app:secret@{host}:{port}/postgres?sslmode={mode}")
    };
    let trusting = options("tls").root_certificates(&pem);
    for mode in ["require", "verify-ca", "verify-full"] {
        let server = hapax_postgres::backend(&url("localhost", mode), &trusting);
        let server = server.expect("it is trusted");
        let claim = absent_to(&key(mode), running(1));
        let answered = crate::cluster::runtime().block_on(server.submit(vec![claim]));
        assert!(answered.is_ok(), "{answered:?}");
        // Another name than the one of the certificate.
        let other = opened(&url("127.0.0.1", mode), &trusting);
        assert_eq!(other, Err(ErrorKind::Unavailable));
        // No root vouches for it.
        let strange = opened(&url("localhost", mode), &options("tls"));
        assert!(strange.is_err(), "{mode}");
    }
    assert_eq!(opened(&url("127.0.0.1", "disable"), &trusting), Ok(()));
    let world = World::on(&cluster, "tls");
    world.run("SELECT 1");
}

#[test]
fn a_server_without_tls_is_not_used_in_the_clear() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let port = cluster.port();
    let url = format!("postgres://hapax:secret@localhost:{port}/postgres?sslmode=require");
    let error = hapax_postgres::backend(&url, &options("tls")).unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}
