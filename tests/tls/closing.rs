//! How connections end: with a word of TLS's own, so that nothing can be cut off unseen.
//!
//! Reading to a clean end is what shows it: rustls tells an end without that word as an error.

use crate::pki::Pki;
use crate::support::http::request;
use crate::support::server::TestServer;
use crate::support::websocket::{CLOSE, FIN, Incoming, close_payload, frame};
use serde_json::json;
use std::io::{ErrorKind, Read};

#[test]
fn an_answer_that_is_the_last_is_followed_by_an_end() {
    let pki = Pki::new("last");
    let server = TestServer::start(pki.config());
    let mut http = pki.http(&server);
    http.wire
        .send(request("GET", "/nothing", &["Connection: close"], b""));
    assert_eq!(http.response().status, 404);
    http.wire.expect_end();
}

#[test]
fn a_websocket_ends_with_both_closes_and_an_end() {
    let pki = Pki::new("close");
    let server = TestServer::start(pki.config());
    let mut client = pki.client(&server);
    client.subscribe("news");
    client.ws.send(frame(FIN | CLOSE, close_payload(1000, "")));
    assert_eq!(
        client.ws.next(),
        Incoming::Close(Some((1000, String::new())))
    );
    client.ws.wire.expect_end();
    // A code of ours.
    let mut client = pki.socket_of(&server, "no-such-app");
    assert!(client.expect_text().contains("4001"));
    let Incoming::Close(Some((4001, _))) = client.next() else {
        panic!("it is closed");
    };
    client.send(frame(FIN | CLOSE, close_payload(4001, "")));
    client.wire.expect_end();
}

#[test]
fn who_only_ends_its_sending_side_hears_the_answer() {
    let pki = Pki::new("half");
    let server = TestServer::start(pki.config());
    let mut http = pki.http(&server);
    http.wire.send(request("GET", "/nothing", &[], b""));
    http.wire.end_sending();
    assert_eq!(http.response().status, 404);
    assert!(http.wire.has_ended());
}

#[test]
fn a_member_that_goes_without_a_word_is_gone() {
    let pki = Pki::new("gone");
    let server = TestServer::start(pki.config());
    let keys = crate::support::sign::Keys::of(&crate::support::server::app());
    let (mut stays, mut goes) = (pki.client(&server), pki.client(&server));
    stays.join(&keys, "presence-a", &json!({"user_id": "stays"}));
    goes.join(&keys, "presence-a", &json!({"user_id": "goes"}));
    stays.expect("pusher_internal:member_added");
    drop(goes);
    let gone = stays.expect("pusher_internal:member_removed");
    assert_eq!(gone.json()["user_id"], "goes");
    stays.expect_quiet();
}

#[test]
fn a_stop_closes_all_with_a_code_and_an_end_even_those_that_never_spoke() {
    let pki = Pki::new("stop");
    let mut server = TestServer::start(pki.config());
    let mut clients: Vec<_> = (0..4).map(|_| pki.client(&server)).collect();
    let mut silent = pki.wire(server.address());
    silent.agree().unwrap();
    let mut hanging = pki.wire(server.address());
    server.stop();
    for client in &mut clients {
        client.expect_closed(4100);
    }
    assert!(silent.has_ended());
    // Not agreed on yet: no word can be sent.
    assert!(hanging.agree().is_err());
    server.end();
}

#[test]
fn a_record_that_was_bent_ends_the_connection_with_an_alert() {
    let pki = Pki::new("bent");
    let server = TestServer::start(pki.config());
    let mut client = pki.client(&server);
    let wire = &mut client.ws.wire;
    let record = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    std::io::Write::write_all(&mut wire.stream(), &record).unwrap();
    let mut sink = Vec::new();
    while wire.tls().wants_read() {
        let mut bytes = [0; 1024];
        match wire.stream().read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => sink.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            // The executors of the server send signals to threads of this process.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
    wire.tls().read_tls(&mut &sink[..]).unwrap();
    let refused = wire.tls().process_new_packets().unwrap_err().to_string();
    assert!(refused.contains("BadRecordMac"), "{refused}");
}
