//! Handshakes that are cut, slow, or of something else (R07).

use crate::pki::{Pki, hello};
use crate::support::server::TestServer;
use crate::support::wire::{PATIENCE, Wire};
use rustls::version::{TLS12, TLS13};
use shardcast::server::config::Config;
use std::time::{Duration, Instant};

const LIMIT_MS: u64 = 400;

fn server(pki: &Pki) -> TestServer {
    TestServer::start(Config {
        tls_handshake_timeout_ms: LIMIT_MS,
        ..pki.config()
    })
}

#[test]
fn a_hello_that_is_cut_anywhere_ends_in_time() {
    // R07
    let pki = Pki::new("cut");
    let server = server(&pki);
    let mut bystander = pki.client(&server);
    for version in [&TLS12, &TLS13] {
        let hello = hello(&pki, version);
        let begun = Instant::now();
        // All of the bytes too: the answer to them is not answered.
        let cuts = (0..=hello.len()).map(|cut| {
            let mut wire = Wire::connect(server.address());
            wire.send(&hello[..cut]);
            wire
        });
        let mut wires: Vec<Wire> = cuts.collect();
        for wire in &mut wires {
            assert!(wire.ends_somehow());
            bystander.expect_quiet();
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(LIMIT_MS), "{took:?}");
        assert!(took < Duration::from_millis(LIMIT_MS + 8_000), "{took:?}");
    }
    let begun = Instant::now();
    while server
        .handle()
        .snapshot()
        .wait()
        .expect("it runs")
        .connections()
        > 1
    {
        assert!(begun.elapsed() < PATIENCE, "none of them is kept");
    }
}

#[test]
fn a_hello_that_drips_ends_in_time() {
    // R07: time counts from accept, not from the last byte
    let pki = Pki::new("drip");
    let server = server(&pki);
    let hello = hello(&pki, &TLS13);
    let begun = Instant::now();
    let mut wire = Wire::connect(server.address());
    for byte in &hello[..hello.len() - 1] {
        if wire.hears_within(20) {
            break;
        }
        wire.send_while_open(&[*byte]);
    }
    let took = begun.elapsed();
    assert!(wire.ends_somehow());
    assert!(took >= Duration::from_millis(LIMIT_MS), "{took:?}");
    assert!(
        took < Duration::from_millis(20 * hello.len() as u64),
        "{took:?}"
    );
}

#[test]
fn a_session_that_was_agreed_on_in_time_has_the_time_of_heads() {
    let pki = Pki::new("time");
    let server = TestServer::start(Config {
        tls_handshake_timeout_ms: 5_000,
        head_timeout_ms: 300,
        ..pki.config()
    });
    let mut wire = pki.wire(server.address());
    wire.agree().unwrap();
    let begun = Instant::now();
    let answer = wire.take_to(b"\r\n");
    assert_eq!(answer, b"HTTP/1.1 408 Request Timeout\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(250));
}

#[test]
fn what_is_no_tls_of_today_is_refused_with_the_reason() {
    // R28
    let pki = Pki::new("old");
    let server = server(&pki);
    let good = hello(&pki, &TLS12);
    // A hello that offers TLS 1.1 and nothing later, in the extension that says what is offered.
    let mut old = good.clone();
    let offer = [0, 0x2b, 0, 3, 2, 3, 3];
    let at = old
        .windows(7)
        .position(|bytes| bytes == offer)
        .expect("it is in each hello");
    old[at + 6] = 2;
    for (bytes, alert) in [
        (&old[..], 70),                             // protocol_version
        (&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0][..], 50), // decode_error
        (&[22, 3, 1, 0xff, 0xff, 1, 2, 3][..], 50), // as above: too long for a record
        (&[23, 3, 3, 0, 3, 1, 2, 3][..], 10),       // unexpected_message
    ] {
        let mut wire = Wire::connect(server.address());
        wire.send(bytes);
        assert_eq!(wire.take(7), [21, 3, 3, 0, 2, 2, alert]);
        wire.expect_end();
    }
    let mut bent = good;
    for at in 0..bent.len() {
        let was = std::mem::replace(&mut bent[at], 0xff);
        let mut wire = Wire::connect(server.address());
        wire.send(&bent);
        wire.end_sending();
        assert!(wire.ends_somehow(), "{at}");
        bent[at] = was;
    }
    pki.client(&server).expect_quiet();
}
