//! What a test can do, call by call.

use crate::room::{panic_of, room, routes};
use crate::support::server::app;
use shardcast::app::App;
use shardcast::server::config::Config;
use shardcast::testing::{Received, Testing};

#[test]
fn clients_on_two_shards_hear_each_other() {
    let (shards, shared) = room();
    let mut ann = shards.connect("/room/ann");
    let mut bob = shards.connect("/room/bob");
    let mut cat = shards.on(1).connect("/room/cat");
    assert_eq!([ann.shard(), bob.shard(), cat.shard()], [0, 1, 1]);
    ann.send_text("others hi");
    assert_eq!(bob.expect_text(), "hi");
    assert_eq!(cat.expect_text(), "hi");
    ann.expect_nothing();
    cat.send_text("count");
    assert_eq!(cat.expect_text(), "3");
    assert_eq!(shared.take(), ["open ann", "open bob", "open cat"]);
    shards.stop();
}

#[test]
fn every_kind_of_message_goes_both_ways() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    ann.send_binary(&[0, 255]);
    assert_eq!(ann.expect_binary(), [0, 255]);
    ann.send_fragments(&["echo he", "l", "lo"]);
    assert_eq!(ann.expect_text(), "hello");
    ann.send_binary_fragments(&[&[1], &[], &[2, 3]]);
    assert_eq!(ann.expect_binary(), [1, 2, 3]);
    ann.ping(b"are you there");
    assert_eq!(ann.expect_pong(), b"are you there");
    let long = "x".repeat(90_000);
    ann.send_text(&format!("echo {long}"));
    assert_eq!(ann.expect_text(), long);
    for text in ["echo one", "echo two"] {
        ann.send_text(text);
    }
    ann.send_binary(b"three");
    let all = [
        Received::Text("one".into()),
        Received::Text("two".into()),
        Received::Binary(b"three".to_vec()),
    ];
    assert_eq!(ann.receive_all(), all);
    assert_eq!(ann.receive(), None);
    ann.send_text(&"x".repeat(100_001)); // message_max
    assert_eq!(ann.expect_close().0, 1009);
    shards.stop();
}

#[test]
fn a_handshake_carries_what_it_is_given_and_shows_what_it_got() {
    let (shards, _) = room();
    let mut ann = shards.connect_with("/room/ann", |handshake| {
        let handshake = handshake.header("Cookie", "id=1").peer("10.0.0.1:5000");
        handshake.subprotocol("chat.1").subprotocol("chat.2")
    });
    assert_eq!(ann.answer().status, 101);
    assert_eq!(ann.answer().header("x-cookie"), Some("1"));
    let chosen = ann.answer().header("sec-websocket-protocol");
    assert_eq!(chosen, Some("chat.2"));
    assert_eq!(ann.address().to_string(), "10.0.0.1:5000");
    ann.send_text("peer");
    assert_eq!(ann.expect_text(), "10.0.0.1:5000");
    let (one, other) = (shards.connect("/room/a"), shards.connect("/room/b"));
    assert_ne!(one.address(), other.address());
    shards.stop();
}

#[test]
fn a_refusal_is_an_answer() {
    let (shards, _) = room();
    let refused = shards.handshake("/room/nobody");
    assert_eq!(
        (refused.status, refused.text()),
        (403, "nobody is not let in\n")
    );
    assert_eq!(refused.header("X-WHY"), Some("a name"));
    assert_eq!(refused.header_all("x-why").count(), 1);
    assert_eq!(shards.on(1).handshake("/elsewhere").status, 404);
    let refused = shards.try_connect("/room/nobody", |handshake| handshake);
    assert_eq!(refused.unwrap_err().status, 403);
    assert!(shards.try_connect("/room/x", |handshake| handshake).is_ok());
    let text = panic_of(|| shards.connect("/room/nobody"));
    assert!(
        text.contains("403") && text.contains("not let in"),
        "{text}"
    );
    let text = panic_of(|| shards.handshake("/room/ann"));
    assert!(text.contains("accepted"), "{text}");
    shards.stop();
}

#[test]
fn requests_are_answered_and_reach_the_clients() {
    let (shards, _) = room();
    let mut ann = shards.on(1).connect("/room/ann");
    let answer = shards.request("POST", "/room/x?y", &[("X-Agent", "test")], b"news");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "POST /room/x test localhost news");
    assert_eq!(ann.expect_text(), "news");
    let answer = shards.request("GET", "/room/x", &[("Host", "example.com")], b"");
    assert_eq!(answer.text(), "GET /room/x  example.com ");
    let answer = shards.request("HEAD", "/room/x", &[], b"");
    assert_eq!((answer.status, answer.text()), (200, ""));
    let chunked = [("Transfer-Encoding", "chunked")];
    let answer = shards.request("POST", "/room/x", &chunked, b"2\r\nab\r\n0\r\n\r\n");
    assert_eq!(answer.text(), "POST /room/x  localhost ab");
    // A body that comes in parts.
    let mut upload = shards.begin("POST", "/room/x", &[("Content-Length", "4")], b"ab");
    assert_eq!(
        (upload.head(), upload.unread(), upload.is_done()),
        (None, 0, false)
    );
    upload.send_bytes(b"cd");
    assert!(upload.is_done());
    assert_eq!(upload.head().map(|head| head.status), Some(200));
    assert_eq!(upload.take_body(), b"POST /room/x  localhost abcd");
    assert_eq!(upload.finish().text(), "", "it was taken");
    shards.stop();
}

#[test]
fn ends_are_told_apart() {
    let (shards, shared) = room();
    for name in ["closes", "vanishes", "drops"] {
        let client = shards.connect(&format!("/room/{name}"));
        match name {
            "closes" => client.close(4242, "bye"),
            "vanishes" => client.vanish(),
            _ => drop(client),
        }
    }
    shards.run();
    let mut kicked = shards.connect("/room/kicked");
    kicked.send_text("close out");
    assert_eq!(kicked.expect_close(), (4000, "out".to_owned()));
    kicked.send_text("echo too late"); // dropped, as a browser does
    kicked.expect_nothing();
    let mut odd = shards.connect("/room/odd");
    odd.send_bytes(&[0xff, 0]); // reserved bits, no mask
    assert_eq!(odd.expect_close().0, 1002);
    let closes: Vec<_> = shared.take();
    let closes = closes.iter().filter_map(|line| line.strip_prefix("close "));
    let wanted = [
        "closes 4242 by peer",
        "vanishes 1006 by peer",
        "drops 1006 by peer",
        "kicked 4000 by us",
        "odd 1002 by us",
    ];
    assert_eq!(closes.collect::<Vec<_>>(), wanted);
    shards.stop();
}

#[test]
fn what_was_not_expected_is_told() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    let text = panic_of(|| ann.expect_text());
    assert!(
        text.contains("/room/ann on shard 0 expected a text"),
        "{text}"
    );
    assert!(text.contains("nothing is left to do"), "{text}");
    let long = "y".repeat(300);
    let mut told = |sent: &str, wanted: &str| {
        ann.send_text(sent);
        let text = panic_of(|| ann.expect_pong());
        assert!(text.contains(wanted), "{text}");
    };
    told(
        "echo hello",
        r#"expected a pong, and the text "hello" came"#,
    );
    told(&format!("echo {long}"), "and 100 bytes more came");
    told("big 3", "and 3 bytes came");
    told("close bye", r#"a close with 4000 "bye" came"#);
    let text = panic_of(|| ann.expect_binary());
    assert!(text.contains("the end of the connection came"), "{text}");
    let mut bob = shards.connect("/room/bob");
    bob.send_text("echo something");
    let text = panic_of(|| bob.expect_nothing());
    assert!(text.contains("something"), "{text}");
    let text = panic_of(|| shards.on(2));
    assert!(text.contains("there is no shard 2: there are 2"), "{text}");
    let text = panic_of(|| Testing::new(|_| {}).shards(0).start());
    assert!(text.contains("not 0"), "{text}");
    shards.stop();
}

#[test]
fn bare_bytes_are_answered_too() {
    let (shards, _) = room();
    let mut wire = shards.wire();
    wire.send(b"GET /room/x HTTP/1.1\r\nHost: a\r\n\r\nGET /elsewhere HTTP/1.1\r\nHo");
    let first = String::from_utf8(wire.receive()).unwrap();
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    wire.send(b"st: a\r\n\r\n");
    let second = String::from_utf8(wire.receive()).unwrap();
    assert!(second.starts_with("HTTP/1.1 404 "), "{second}");
    assert!(!wire.has_ended());
    wire.end_sending();
    assert!(wire.has_ended());
    shards.stop();
}

#[test]
fn a_client_that_does_not_read_is_full_after_its_outbox() {
    let (config, shared) = (
        Config {
            outbox_bytes: 20_000,
            ..Config::default()
        },
        crate::room::Shared::default(),
    );
    let shards = Testing::new(routes(&shared)).config(config).start();
    let mut ann = shards.connect("/room/ann");
    let mut bob = shards.connect("/room/bob");
    ann.stop_reading();
    for _ in 0..8 {
        ann.send_text("big 9996"); // a frame of 10,000 bytes; 65,536 are on their way
        shards.run();
    }
    assert_eq!(shared.take()[2..], ["open ann", "open bob"]);
    ann.send_text("try 5532"); // a frame of 5,536: just full
    ann.send_text("try 1");
    shards.run();
    assert_eq!(shared.take(), ["try ann Ok(())", "try ann Err(Full)"]);
    // Who is told that a client is full may leave it at that.
    ann.read_again();
    let got = ann.receive_all();
    assert!(matches!(
        got[..],
        [_, _, _, _, _, _, _, _, Received::Binary(_)]
    ));
    ann.send_text("echo still here");
    assert_eq!(ann.expect_text(), "still here");
    // Nobody can be told for all clients of a broadcast.
    ann.stop_reading();
    for _ in 0..8 {
        ann.send_text("big 9996");
        shards.run();
    }
    ann.send_text("try 5532");
    shards.run();
    bob.send_text("all x");
    assert_eq!(bob.expect_text(), "x");
    ann.read_again();
    let got = ann.receive_all();
    let closes = got
        .iter()
        .filter(|got| matches!(got, Received::Close(1013, _)));
    assert_eq!(closes.count(), 1, "{got:?}");
    assert!(matches!(got.last(), Some(Received::End)));
    assert_eq!(shared.take(), ["try ann Ok(())", "close ann 1013 by us"]);
    bob.send_text("echo alive");
    assert_eq!(bob.expect_text(), "alive");
    shards.stop();
}

#[test]
fn a_slow_callback_holds_its_client_back() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    let mut bob = shards.on(0).connect("/room/bob");
    ann.send_text("hang");
    shards.run();
    for _ in 0..3 {
        ann.send_binary(&[1; 50_000]);
    }
    assert_eq!(ann.unread(), 3 * 50_008);
    bob.send_text("echo alive");
    assert_eq!(bob.expect_text(), "alive");
}

#[test]
fn the_server_handle_does_what_it_says() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    let handle = shards.server();
    handle.broadcast("/room/{name}", "to all").unwrap();
    assert_eq!(ann.expect_text(), "to all");
    // A handler may stop the server, too.
    ann.send_text("stop");
    assert_eq!([ann.expect_text(), ann.expect_text()], ["farewell"; 2]);
    shards.stop();
    assert_eq!(ann.expect_close().0, 4100);
    handle.wait().unwrap();
}

#[test]
fn the_pusher_server_stands_beside_the_handlers() {
    let shared = crate::room::Shared::default();
    let told = App::new("2", "other", "secret");
    let testing = Testing::new(routes(&shared)).app(app()).app(told).shards(3);
    let shards = testing.start();
    let mut clients = [0, 1, 2].map(|shard| shards.on(shard).connect("/app/app-key?protocol=7"));
    for client in &mut clients {
        assert!(
            client
                .expect_text()
                .contains("pusher:connection_established")
        );
        client.send_text(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#);
        assert!(client.expect_text().contains("subscription_succeeded"));
    }
    let mut other = shards.connect("/app/nobody-s?protocol=7");
    assert!(other.expect_text().contains("4001"));
    let mut ann = shards.connect("/room/ann");
    ann.send_text("echo beside");
    assert_eq!(ann.expect_text(), "beside");
    // The wall clock is the one that requests are signed at.
    let rest = shards.request("GET", "/apps/1001/channels", &[], b"");
    assert_eq!(rest.status, 401);
    shards.stop();
}
