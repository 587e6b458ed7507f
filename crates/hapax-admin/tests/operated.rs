//! Starts the example `operated`, asks it as an operator would, and stops it.
//!
//! The service is this program again, run as the test `serve`.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "../examples/operated.rs"]
mod operated;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hapax::Store;
use hapax::audit::AuditFilter;

/// The variable that makes the test `serve` run the service.
const SERVE: &str = "HAPAX_OPERATED_SERVE";

/// The service. Does nothing as a test of its own.
#[test]
fn serve() {
    if std::env::var_os(SERVE).is_some() {
        operated::main().unwrap();
    }
}

/// The service in a process of its own; killed if a test fails.
struct Service {
    child: Child,
    address: String,
    /// Reads its other lines, and drops them.
    _out: BufReader<std::process::ChildStdout>,
}

impl Service {
    /// Starts it on a free port, and waits until it names the port.
    fn start(store: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serve", "--nocapture", "--test-threads=1"])
            .env(SERVE, "yes")
            .env("HAPAX_TOKEN", "secret")
            .env("HAPAX_ADDRESS", "127.0.0.1:0")
            .env("HAPAX_STORE", store)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            let read = out.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "it says where it listens");
            if let Some((_, rest)) = line.split_once("http://") {
                let end = rest.find(|c: char| c == '/' || c.is_whitespace());
                break rest[..end.unwrap_or(rest.len())].to_owned();
            }
        };
        Self {
            child,
            address,
            _out: out,
        }
    }

    /// The status and the text of an answer.
    fn ask(&self, request: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let bearer = token.map_or(String::new(), |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{bearer}\r\n",
            self.address,
            body.len()
        );
        socket
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    /// Interrupts it, as a terminal does, and waits until it ends.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(sent.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn only_who_knows_the_token_operates_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("store");
    let service = Service::start(&path);
    let (status, said) = service.ask("POST /charges", None, "order-42");
    assert_eq!(status, 200, "{said}");
    let list = "GET /admin/hapax/in-doubt";
    for token in [None, Some("guess"), Some("secret2"), Some("")] {
        let (status, said) = service.ask(list, token, "");
        assert_eq!(status, 401, "{token:?}: {said}");
        let said = said.to_lowercase();
        assert!(said.contains("www-authenticate: bearer"), "{said}");
        assert!(!said.contains("order-42"), "{said}");
    }
    let (status, said) = service.ask(list, Some("secret"), "");
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("order-42"), "{said}");
    let token = said.split("\"token\":\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    for probe in ["live", "ready"] {
        let (status, said) = service.ask(&format!("GET /probes/health/{probe}"), None, "");
        assert_eq!(status, 200, "{said}");
    }
    let body =
        format!(r#"{{"token":"{token}","outcome":"failed","error":"no money","reason":"INC-42"}}"#);
    let resolve = "POST /admin/hapax/keys/payments/order-42/resolve";
    assert_eq!(service.ask(resolve, None, &body).0, 401);
    let (status, said) = service.ask(resolve, Some("secret"), &body);
    assert_eq!(status, 200, "{said}");
    service.stop();
    // The service has closed its store, so the store is free.
    let store = Store::open(path).unwrap();
    let entries = store.audit(AuditFilter::new()).unwrap();
    let entries: Vec<_> = entries.map(Result::unwrap).collect();
    let [entry] = &entries[..] else {
        panic!("one action: {entries:?}")
    };
    assert_eq!((entry.actor(), entry.reason()), ("on-call", "INC-42"));
}
