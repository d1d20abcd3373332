//! The end, and what must not be left at it.

use crate::room::{panic_of, room};
use futures_lite::future::pending;
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result};
use shardcast::testing::Testing;

#[test]
fn on_stop_comes_first_then_closes_then_on_close() {
    let (shards, shared) = room();
    let mut clients = ["ann", "bob"].map(|name| shards.connect(&format!("/room/{name}")));
    shared.take();
    let passed = shards.stop();
    for client in &mut clients {
        // One from its own shard, one from the other.
        assert_eq!(
            [client.expect_text(), client.expect_text()],
            ["farewell"; 2]
        );
        assert_eq!(client.expect_close().0, 4100);
    }
    assert!(
        passed.as_millis() < 100,
        "nothing here takes time: {passed:?}"
    );
    let mut lines = shared.take();
    assert!(
        lines[..2].iter().all(|line| line.starts_with("stop ")),
        "{lines:?}"
    );
    lines.sort();
    let wanted = [
        "close ann 4100 by us",
        "close bob 4100 by us",
        "stop 0",
        "stop 1",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn a_silent_client_is_ended_and_leaves_nothing() {
    let (shards, shared) = room();
    let mut ann = shards.connect("/room/ann");
    ann.fall_silent();
    shards.stop();
    assert_eq!([ann.expect_text(), ann.expect_text()], ["farewell"; 2]);
    assert_eq!(ann.expect_close().0, 4100);
    ann.expect_end();
    assert!(shared.take().contains(&"close ann 4100 by us".to_owned()));
}

#[test]
fn a_callback_that_does_not_return_is_found() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    ann.send_text("hang");
    let text = panic_of(|| shards.stop());
    assert!(text.contains("1 connections did not end"), "{text}");
    let (shards, _) = room();
    let _request = shards.begin("GET", "/room/x?hang", &[], b"");
    let text = panic_of(|| shards.stop());
    assert!(text.contains("1 connections did not end"), "{text}");
}

#[test]
fn an_on_stop_that_does_not_return_is_not_waited_for() {
    let (shards, shared) = room();
    let mut ann = shards.connect("/room/ann");
    shared.fault.set("hang-stop");
    let passed = shards.stop().as_millis();
    // stop_wait_ms is 5000, and waves of closes follow.
    assert!((5_000..5_100).contains(&passed), "{passed}");
    assert_eq!([ann.expect_text(), ann.expect_text()], ["farewell"; 2]);
    assert_eq!(ann.expect_close().0, 4100);
}

/// Breaks when its on_stop is given up.
struct Brittle;

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        panic!("broken in a drop");
    }
}

impl Handler for Brittle {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_stop(&self, _: &Endpoint) {
        let _guard = Guard;
        pending().await
    }
}

#[test]
fn an_on_stop_that_breaks_as_it_is_given_up_breaks_nothing_else() {
    let shards = Testing::new(|router| router.mount("/", |_| Brittle)).start();
    let mut ann = shards.connect("/");
    shards.stop();
    assert_eq!(ann.expect_close().0, 4100);
}
