//! Virtual time.

use crate::room::{Shared, panic_of, room, routes};
use crate::support::server::{NOW, app};
use crate::support::sign::Keys;
use serde_json::json;
use shardcast::app::App;
use shardcast::server::config::Config;
use shardcast::testing::{PusherClient, Received, Shards, Testing};
use std::time::Duration;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn time_stands_still_until_it_is_moved() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    ann.send_text("echo now");
    assert_eq!(ann.expect_text(), "now");
    assert_eq!(shards.now(), Duration::ZERO);
    shards.advance(Duration::from_millis(1_234));
    shards.advance(Duration::from_nanos(1));
    assert_eq!(shards.now(), Duration::from_nanos(1_234_000_001));
    shards.stop();
}

/// A Pusher client, which is pinged when it is silent for long (W15).
fn pinged() -> Testing {
    let shared = Shared::default();
    let config = Config {
        apps: vec![app()],
        activity_grace_ms: 30_000,
        pong_wait_ms: 30_000,
        ..Config::default()
    };
    Testing::new(routes(&shared)).config(config)
}

#[test]
fn an_idle_client_is_pinged_and_answers() {
    // W15: after 120 s of silence and 30 s of grace.
    let shards = pinged().start();
    let mut ann = shards.connect("/app/app-key?protocol=7");
    assert!(ann.expect_text().contains("established"));
    shards.advance(seconds(149));
    assert_eq!(ann.pings(), 0);
    shards.advance(seconds(2));
    assert_eq!(ann.pings(), 1);
    shards.advance(seconds(3_600));
    assert!((23..=25).contains(&ann.pings()), "{}", ann.pings());
    ann.expect_nothing();
    shards.stop();
}

#[test]
fn a_client_that_has_gone_to_sleep_is_closed() {
    // W15
    let shards = pinged().start();
    let mut ann = shards.connect("/app/app-key?protocol=7");
    assert!(ann.expect_text().contains("established"));
    ann.fall_silent();
    shards.advance(seconds(179));
    ann.expect_nothing();
    shards.advance(seconds(3));
    assert!(ann.expect_text().contains("4201"));
    assert_eq!(ann.expect_close().0, 4201);
    // It does not end the connection: that has a deadline as well.
    ann.expect_nothing();
    shards.advance(seconds(6));
    ann.expect_end();
    shards.stop();
}

/// Two members of a channel: one that will be given up, and one that sees when it has left.
fn members(shards: &Shards) -> (PusherClient, PusherClient) {
    let join = |id: &str| {
        let mut client = shards.pusher("app-key");
        client.subscribe_signed(&app(), "presence-room", Some(&json!({"user_id": id})));
        client
    };
    (join("lost"), join("witness"))
}

#[test]
fn a_member_that_has_gone_to_sleep_leaves_when_it_is_given_up() {
    // W15, P13: not when its time to answer the close is up, five seconds later.
    let shards = pinged().start();
    let (mut lost, mut witness) = members(&shards);
    lost.expect_event("pusher_internal:member_added");
    lost.client.fall_silent();
    shards.advance(seconds(179));
    witness.client.expect_nothing();
    shards.advance(seconds(3));
    let left = witness.expect_event("pusher_internal:member_removed");
    assert_eq!(left.data["user_id"], "lost");
    assert!(lost.client.expect_text().contains("4201"));
    assert_eq!(lost.client.expect_close().0, 4201);
    lost.client.expect_nothing(); // its connection is still there
    shards.advance(seconds(6));
    lost.client.expect_end();
    witness.client.expect_nothing(); // it has left once
    shards.stop();
}

#[test]
fn a_member_that_reads_nothing_leaves_when_its_outbox_is_full() {
    let app = App {
        client_events_per_second: None,
        ..app()
    };
    let shards = Testing::new(routes(&Shared::default())).app(app).start();
    let (mut lost, mut witness) = members(&shards);
    lost.expect_event("pusher_internal:member_added");
    lost.client.stop_reading();
    let data = json!("x".repeat(9_000));
    for _ in 0..1_000 {
        witness.send("client-e", Some("presence-room"), &data);
        if let Some(Received::Text(text)) = witness.client.receive() {
            assert!(text.contains("pusher_internal:member_removed"), "{text}");
            lost.client.read_again();
            let last = lost.client.receive_all();
            let close = Received::Close(4100, "Over capacity".into());
            assert!(last.contains(&close), "{last:?}");
            shards.advance(seconds(20));
            witness.client.expect_nothing();
            shards.stop();
            return;
        }
    }
    panic!("nine megabytes wait for it");
}

#[test]
fn requests_have_deadlines() {
    let (shards, _) = room();
    let mut wire = shards.wire();
    wire.send(b"GET / HT");
    shards.advance(Duration::from_millis(4_900)); // head_timeout_ms is 5000
    assert_eq!(wire.receive(), b"");
    shards.advance(Duration::from_millis(600));
    assert!(wire.receive().starts_with(b"HTTP/1.1 408 "));
    assert!(wire.has_ended());
    shards.stop();
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let (shards, shared) = room();
    let mut ann = shards.connect("/room/ann");
    ann.stop_reading();
    ann.send_text("big 99999");
    shards.run();
    assert_eq!(shared.take(), ["open ann"]);
    shards.advance(seconds(11)); // write_stall_ms is 10000
    assert_eq!(shared.take(), ["close ann 1006 by peer"]);
    ann.read_again();
    assert_eq!(ann.receive(), Some(Received::End));
    shards.stop();
}

#[test]
fn the_wall_clock_goes_with_the_time() {
    // A10: a signature that is ten minutes old is not believed.
    let shards = pinged().wall_clock(NOW - 100).start();
    let target = Keys::of(&app()).target("GET", "/apps/1001/channels", &[], b"");
    let ask = || shards.request("GET", &target, &[], b"").status;
    assert_eq!(ask(), 200);
    shards.advance(seconds(699));
    assert_eq!(ask(), 200);
    shards.advance(seconds(2));
    assert_eq!(ask(), 401);
    shards.stop();
}

#[test]
fn sleepers_and_intervals_go_with_the_time() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    let mut bob = shards.connect("/room/bob");
    ann.send_text("nap 60000");
    ann.send_text("echo after it");
    bob.send_text("every 250");
    assert_eq!(bob.expect_text(), "tick");
    bob.expect_nothing();
    shards.advance(Duration::from_millis(999));
    assert_eq!(
        [bob.expect_text(), bob.expect_text(), bob.expect_text()],
        ["tick"; 3]
    );
    bob.expect_nothing();
    ann.expect_nothing();
    shards.advance(seconds(59));
    assert_eq!(bob.receive_all().len(), 236);
    ann.expect_nothing();
    shards.advance(Duration::from_millis(1));
    assert_eq!(ann.expect_text(), "awake");
    assert_eq!(ann.expect_text(), "after it");
    shards.stop();
}

#[test]
fn an_answer_that_takes_time_is_waited_for() {
    let (shards, _) = room();
    let answer = shards.request("GET", "/room/x?nap", &[], b"");
    assert_eq!((answer.status, shards.now()), (200, seconds(5)));
    let mut slow = shards.begin("GET", "/room/x?nap", &[], b"");
    shards.advance(Duration::from_millis(4_999));
    assert_eq!(slow.head(), None);
    shards.advance(Duration::from_millis(1));
    assert_eq!(slow.finish().status, 200);
    let text = panic_of(|| shards.request("GET", "/room/x?hang", &[], b""));
    assert!(text.contains("was not answered within 60s"), "{text}");
}

#[test]
fn what_is_left_to_tokio_is_waited_for() {
    let (shards, _) = room();
    let mut ann = shards.connect("/room/ann");
    for _ in 0..10 {
        ann.send_text("tokio");
        assert_eq!(ann.expect_text(), "from tokio");
        ann.send_text("blocking");
        assert_eq!(ann.expect_text(), "from a thread");
    }
    shards.stop();
    // What never ends is waited for as long as a test says.
    let shared = Shared::default();
    let testing = Testing::new(routes(&shared)).work_patience(Duration::ZERO);
    let shards = testing.start();
    let mut ann = shards.connect("/room/ann");
    ann.send_text("for-ever");
    ann.expect_nothing();
    ann.send_text("echo alive");
    assert_eq!(ann.expect_text(), "alive");
    shards.stop();
}
