//! Over a real socket: bytes that a client library would not send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::World;

async fn serve(world: &World) -> SocketAddr {
    let app = axum::Router::new().nest("/admin", world.acting().into_router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn talk(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_doubt_is_found_and_resolved_over_a_socket() {
    let world = World::new();
    let token = world.doubt("..");
    let address = serve(&world).await;
    let asked = "GET /admin/in-doubt HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = talk(address, asked).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/json\r\n"),
        "{answer}"
    );
    assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    assert!(
        answer.contains(&format!("\"token\":\"{token}\"")),
        "{answer}"
    );

    // As two chunks, so that its length is unknown until it ends.
    let order = format!(
        r#"{{"token":"{token}","reason":"INC-42","outcome":"happened","response":"receipt"}}"#
    );
    let (first, rest) = order.split_at(20);
    let request = format!(
        "POST /admin/keys/pay/../resolve HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-operator: alice\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         14\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        rest.len()
    );
    let answer = talk(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"actor\":\"alice\""), "{answer}");
    assert!(world.pay.contains("..").unwrap());
}

#[tokio::test]
async fn a_body_that_breaks_off_orders_nothing() {
    let world = World::new();
    let token = world.doubt("order-42");
    let address = serve(&world).await;
    let order = format!(r#"{{"token":"{token}","reason":"r","outcome":"never_happened"}}"#);
    let request = format!(
        "POST /admin/keys/pay/order-42/resolve HTTP/1.1\r\nhost: a\r\nx-operator: alice\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{order}",
        order.len() + 1
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.store.doubts().unwrap().map(Result::unwrap).count(), 1);
}
