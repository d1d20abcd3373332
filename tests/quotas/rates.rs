//! Requests of backends in a second, counted in one place for all shards.

use crate::support::http::Response;
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use serde_json::{Value, json};
use shardcast::app::App;
use std::thread;
use std::time::Instant;

/// Connections that ask at the same time: the kernel spreads them over both shards.
const BACKENDS: usize = 8;

fn rated(events: Option<u32>, reads: Option<u32>) -> App {
    App {
        backend_events_per_second: events,
        read_requests_per_second: reads,
        ..App::new("1001", "app-key", "app-secret")
    }
}

fn event(channels: usize) -> Value {
    let channels: Vec<String> = (0..channels).map(|n| format!("c{n}")).collect();
    json!({"name": "e", "channels": channels, "data": "d"})
}

/// What an answer tells of the rate: limit and rest.
fn told(response: &Response) -> (u32, u32) {
    let number = |name| response.header(name).expect(name).parse().expect(name);
    (number("x-ratelimit-limit"), number("x-ratelimit-remaining"))
}

#[track_caller]
fn expect_too_many(response: &Response, limit: u32) {
    assert_eq!(response.status, 429, "{}", response.text());
    assert!(!response.error().is_empty() && !response.closes());
    assert_eq!(told(response).0, limit);
    let wait = response.header("retry-after").expect("when to come again");
    assert!(
        (1..=2).contains(&wait.parse::<u32>().expect("seconds")),
        "{wait}"
    );
}

/// Asks on many connections at once; gives how many requests were let through, and what a bucket
/// that was full may have given in that time.
fn flood(server: &TestServer, rate: u64, ask: impl Fn(&mut Rest) -> u16 + Sync) -> (u64, u64) {
    const EACH: usize = 30;
    let start = Instant::now();
    let through = thread::scope(|scope| {
        let backends = [(); BACKENDS].map(|()| {
            scope.spawn(|| {
                let mut rest = server.rest();
                let statuses = (0..EACH).map(|_| ask(&mut rest));
                statuses.filter(|status| *status != 429).count() as u64
            })
        });
        backends.map(|backend| backend.join().expect("no backend fails"))
    });
    let most = rate + start.elapsed().as_millis() as u64 * rate / 1000 + 1;
    (through.iter().sum(), most)
}

#[test]
fn events_of_all_backends_share_one_bucket() {
    // Section 8.2, row 10
    const RATE: u32 = 40;
    let server = TestServer::with_apps([rated(Some(RATE), None)]);
    let (through, most) = flood(&server, RATE.into(), |rest| {
        rest.post("events", &event(1)).status
    });
    assert!(
        (u64::from(RATE)..=most).contains(&through),
        "{through}, at most {most}"
    );
    // Reading is not publishing.
    let read = server.rest().get("channels", &[]);
    assert_eq!((read.status, read.header("x-ratelimit-limit")), (200, None));
}

#[test]
fn reading_has_a_bucket_of_its_own() {
    const RATE: u32 = 40;
    let server = TestServer::with_apps([rated(None, Some(RATE))]);
    let (through, most) = flood(&server, RATE.into(), |rest| {
        rest.get("channels/presence-a/users", &[]).status
    });
    assert!(
        (u64::from(RATE)..=most).contains(&through),
        "{through}, at most {most}"
    );
    let mut rest = server.rest();
    let mut answers = (0..1000).map(|_| rest.get("channels", &[]));
    let refused = answers.find(|answer| answer.status != 200);
    expect_too_many(&refused.expect("a thousand at once are too many"), RATE);
    rest.trigger("a", "e", "d");
}

#[test]
fn an_event_counts_for_each_of_its_channels() {
    const RATE: u32 = 1000;
    let server = TestServer::with_apps([rated(Some(RATE), None)]);
    let mut rest = server.rest();
    let item = json!({"name": "e", "channel": "a", "data": "d"});
    for (path, body, weight) in [
        ("events", event(1), 1),
        ("events", event(100), 100),
        ("batch_events", json!({"batch": vec![item; 10]}), 10),
        (
            "events",
            json!({"name": "e", "channels": ["a", "a"], "data": "d"}),
            1,
        ),
        // What makes no sense counts once.
        ("events", json!([]), 1),
    ] {
        let start = Instant::now();
        let (limit, before) = told(&rest.post("events", &event(1)));
        let (_, after) = told(&rest.post(path, &body));
        let earned = start.elapsed().as_millis() as i64 + 1; // a token each millisecond
        assert_eq!(limit, RATE);
        let used = i64::from(before) - i64::from(after);
        assert!(
            used <= weight && used + earned >= weight,
            "{body}: {before}, {after}"
        );
    }
}

#[test]
fn at_the_rate_all_is_well_and_past_it_nothing() {
    let server = TestServer::with_apps([rated(Some(3), Some(1))]);
    let mut rest = server.rest();
    let first = rest.post("events", &event(3));
    assert_eq!((first.status, told(&first)), (200, (3, 0)));
    expect_too_many(&rest.post("events", &event(3)), 3);
    // More than a second's worth has no time at which it could pass.
    let server = TestServer::with_apps([rated(Some(3), Some(1))]);
    let mut rest = server.rest();
    expect_too_many(&rest.post("events", &event(4)), 3);
    let first = rest.post("events", &event(3));
    assert_eq!((first.status, told(&first)), (200, (3, 0)));
    let read = rest.get("channels", &[]);
    assert_eq!((read.status, told(&read)), (200, (1, 0)));
    expect_too_many(&rest.get("channels", &[]), 1);
}

#[test]
fn what_is_refused_reaches_nobody_and_the_bucket_fills_again() {
    let server = TestServer::with_apps([rated(Some(2), None)]);
    let mut client = server.client();
    client.subscribe("c0");
    let mut rest = server.rest();
    let mut publish = |data: &str| {
        let event = json!({"name": "e", "channels": ["c0", "c1"], "data": data});
        rest.post("events", &event).status
    };
    assert_eq!(publish("first"), 200);
    assert_eq!(publish("refused"), 429);
    let start = Instant::now();
    let mut tries = 0;
    while publish("again") == 429 {
        tries += 1;
        assert!(start.elapsed().as_secs() < 20, "{tries}");
    }
    assert_eq!(client.expect("e").text(), "first");
    assert_eq!(client.expect("e").text(), "again");
    client.expect_quiet();
}

#[test]
fn apps_do_not_use_up_each_others_rates() {
    let other = App {
        backend_events_per_second: Some(1),
        ..App::new("2", "other-key", "other-secret")
    };
    let server = TestServer::with_apps([rated(Some(1), None), other.clone()]);
    let mut rest = server.rest();
    assert_eq!(rest.post("events", &event(1)).status, 200);
    expect_too_many(&rest.post("events", &event(1)), 1);
    let mut rest = Rest::connect(&server, &other);
    assert_eq!(rest.post("events", &event(1)).status, 200);
}
