//! Handlers that break, in each callback and in both ways.

use crate::room::{Shared, panic_of, room, routes};
use shardcast::testing::Testing;

#[test]
fn a_client_whose_callback_breaks_is_closed_and_nobody_else() {
    for (query, message, error) in [
        ("panic-open", "", "the handler panicked: broken in open"),
        ("fail-open", "", "failed in open"),
        (
            "",
            "panic-message",
            "the handler panicked: broken in message",
        ),
        ("", "fail-message", "failed in message"),
        (
            "panic-open&panic-error&panic-close",
            "",
            "the handler panicked: broken in open",
        ),
    ] {
        let (shards, shared) = room();
        let mut bob = shards.on(0).connect("/room/bob");
        let mut ann = shards.on(0).connect(&format!("/room/ann?{query}"));
        if !message.is_empty() {
            ann.send_text(message);
        }
        assert_eq!(ann.expect_close().0, 1011, "{query} {message}");
        bob.send_text("echo alive");
        assert_eq!(bob.expect_text(), "alive");
        let lines = [
            "open bob".to_owned(),
            "open ann".to_owned(),
            format!("error ann {error}"),
            "close ann 1011 by us".to_owned(),
        ];
        assert_eq!(shared.take(), lines);
        shards.stop();
    }
}

#[test]
fn a_handshake_or_request_that_breaks_is_answered_with_500() {
    let (shards, shared) = room();
    for fault in ["panic-handshake", "fail-handshake"] {
        let refused = shards.handshake(&format!("/room/ann?{fault}"));
        assert_eq!(refused.status, 500, "{fault}");
    }
    let answer = shards.request("GET", "/room/ann?panic-request", &[], b"");
    assert_eq!(answer.status, 500);
    assert_eq!(shared.take(), [""; 0]);
    shards.stop();
}

#[test]
fn an_on_start_that_fails_keeps_the_shards_from_starting() {
    let shared = Shared::default();
    shared.fault.set("fail-start");
    let error = Testing::new(routes(&shared)).try_start().unwrap_err();
    assert_eq!(error, "shard 0 did not start: failed in start");
    let text = panic_of(|| Testing::new(routes(&shared)).start());
    assert_eq!(text, error);
    shared.fault.set("panic-start");
    let text = panic_of(|| Testing::new(routes(&shared)).start());
    assert_eq!(text, "broken in start");
    let text = panic_of(|| Testing::new(|_| panic!("routes of no sense")).start());
    assert_eq!(text, "routes of no sense");
}

#[test]
fn a_stop_that_breaks_ends_all_the_same() {
    let (shards, shared) = room();
    let mut ann = shards.connect("/room/ann");
    shared.fault.set("panic-stop");
    shards.stop();
    assert_eq!([ann.expect_text(), ann.expect_text()], ["farewell"; 2]);
    assert_eq!(ann.expect_close().0, 4100);
}

#[test]
fn a_task_that_never_rests_is_named_as_one() {
    use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
    struct Restless;
    impl Handler for Restless {
        type Session = ();
        async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
            Ok(Handshake::accept(()))
        }
        async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
            loop {
                futures_lite::future::yield_now().await;
            }
        }
    }
    let shards = Testing::new(|router| router.mount("/", |_| Restless)).start();
    let mut ann = shards.connect("/");
    ann.send_text("go");
    let text = panic_of(|| ann.expect_text());
    assert!(text.contains("do not come to rest"), "{text}");
}

#[test]
fn a_client_of_a_shard_that_there_is_none_of_is_gone() {
    use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result, SendError};
    use shardcast::id::{ClientId, ShardId};
    struct Nowhere;
    impl Handler for Nowhere {
        type Session = ();
        async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
            Ok(Handshake::accept(()))
        }
        async fn on_message(&self, client: &mut Client<()>, _: Message<'_>) -> Result {
            let (id, endpoint) = (ClientId::new(ShardId(2), 0, 0), client.endpoint());
            assert_eq!(endpoint.send(id, "x"), Err(SendError::Gone));
            endpoint.close(id, 4000, "");
            endpoint.multicast(&[id], &endpoint.prepare("x"));
            assert_eq!(endpoint.ready(id).await, Err(SendError::Gone));
            assert_eq!(endpoint.info(id).await, None);
            Ok(client.send_text("gone")?)
        }
    }
    let shards = Testing::new(|router| router.mount("/", |_| Nowhere)).start();
    let mut ann = shards.connect("/");
    ann.send_text("go");
    assert_eq!(ann.expect_text(), "gone");
    shards.stop();
}
