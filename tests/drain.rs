//! The end of the server's own program (R39): signals, waves of closes, what is under way, the
//! deadline, the exit code.

mod support;

#[allow(dead_code, reason = "the tests of reloads use the rest")]
#[path = "reload/served.rs"]
mod served;

use rustix::process::Signal;
use serde_json::json;
use served::Served;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use support::http::{Http, request};
use support::machine;
use support::pusher::Client;
use support::sign::Keys;
use support::websocket::Incoming;

fn start(test: &str, more: &str) -> Served {
    let text = "rest_clock_s = 0\n".to_owned() + more;
    Served::start(
        test,
        &(text + "[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 's1'\n"),
    )
}

fn keys() -> Keys {
    Keys::new("1", "k1", "s1")
}

/// Reads up to the close; says when it came, and the events before it.
fn closed(client: &mut Client, code: u16) -> (Instant, Vec<String>) {
    let mut events = Vec::new();
    loop {
        let event = client.next();
        if event.name != "pusher:error" {
            events.push(event.name);
            continue;
        }
        let at = Instant::now();
        assert_eq!(event.error().0, Some(code.into()));
        client.ws.expect_close(code);
        return (at, events);
    }
}

/// Closes that are spread evenly are never early, whatever keeps this program from hearing of them;
/// late by a quarter of the time at most, and by what the machine paused. At once, in steps of half
/// the time or at its end, they would be one or the other.
fn uneven(heard: &[Duration], spread_ms: u64, paused_ms: u64) -> Option<String> {
    let mut heard_ms: Vec<u64> = heard.iter().map(|it| it.as_millis() as u64).collect();
    heard_ms.sort_unstable();
    let count = heard_ms.len() as u64;
    let early_ms = spread_ms / 10;
    let late_ms = spread_ms / 4 + paused_ms;
    (0..).zip(heard_ms).find_map(|(before, at_ms)| {
        let due_ms = spread_ms * before / count;
        let allowed = due_ms.saturating_sub(early_ms)..=due_ms + late_ms;
        (!allowed.contains(&at_ms))
            .then(|| format!("close {before} came at {at_ms} ms, not within {allowed:?}"))
    })
}

#[test]
fn closes_that_are_not_even_are_told_from_those_that_are() {
    let is_even = |at_ms: &dyn Fn(u64) -> u64| {
        let heard = (0..1_000).map(|number| Duration::from_millis(at_ms(number)));
        uneven(&heard.collect::<Vec<_>>(), 4_000, 0).is_none()
    };
    assert!(is_even(&|number| number * 4));
    // Who hears of them was kept from it for half a second.
    let kept = |at: u64| {
        if (1_000..1_500).contains(&at) {
            1_500
        } else {
            at
        }
    };
    assert!(is_even(&|number| kept(number * 4)));
    assert!(!is_even(&|_| 10), "all at once");
    assert!(!is_even(&|_| 4_000), "all at the end");
    assert!(!is_even(&|number| number / 500 * 2_000), "in two steps");
    assert!(!is_even(&|number| number * 2), "in half of the time");
    assert!(!is_even(&|number| number * 6), "in more than the time");
}

// R39, W22
#[test]
fn a_thousand_clients_are_closed_evenly_and_what_is_under_way_is_delivered() {
    const CLIENTS: usize = 1_000;
    const SPREAD_MS: u64 = 4_000;
    let served = start("even", &format!("drain_spread_ms = {SPREAD_MS}\n"));
    let mut of_shard: [Vec<Client>; 2] = Default::default();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(served.address, "k1");
        client.subscribe("news");
        of_shard[client.shard() as usize].push(client);
    }
    // A publish whose body has begun.
    let body = json!({"name": "late", "channel": "news", "data": ""}).to_string();
    let target = keys().target("POST", "/apps/1/events", &[], body.as_bytes());
    let whole = request("POST", &target, &["Expect: 100-continue"], body.as_bytes());
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut backend = Http::connect(served.address);
    backend.wire.send(head);
    assert_eq!(
        backend.head_response().status,
        100,
        "its body is waited for"
    );
    backend.wire.send(&body[..body.len() - 1]);
    let paused_ms = machine::paused_ms();
    let start = Instant::now();
    served.signal(Signal::TERM);
    served.log_to(&["stopping"]);
    let told: Vec<_> = thread::scope(|scope| {
        let read = |clients: Vec<Client>| {
            let all = clients.into_iter().map(|mut it| closed(&mut it, 4100));
            all.collect::<Vec<_>>()
        };
        let readers = of_shard.map(|clients| scope.spawn(move || read(clients)));
        assert!(
            TcpStream::connect(served.address).is_err(),
            "nobody is let in"
        );
        backend.wire.send(&body[body.len() - 1..]);
        let response = backend.response();
        assert_eq!(response.status, 200, "{}", response.text());
        let all = readers
            .into_iter()
            .map(|reader| reader.join().expect("all are closed"));
        all.flatten().collect()
    });
    let heard = told
        .iter()
        .filter(|(_, events)| events == &["late"])
        .count();
    assert!(
        heard > CLIENTS / 2,
        "{heard}: those who were there have got it"
    );
    assert!(told.iter().all(|(_, events)| events.len() <= 1));
    let paused_ms = machine::paused_ms() - paused_ms;
    let heard: Vec<Duration> = told.iter().map(|(at, _)| *at - start).collect();
    assert_eq!(uneven(&heard, SPREAD_MS, paused_ms), None);
    let (status, _) = served.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once_and_a_reload_is_not_begun_in_between() {
    let served = start("second", "drain_spread_ms = 600000\n");
    let mut clients = [0, 1].map(|n| Client::connect_on(served.address, "k1", n));
    let begin = Instant::now();
    served.signal(Signal::INT);
    served.log_to(&["stopping"]);
    served.signal(Signal::HUP);
    clients[0]
        .ws
        .send_text(r#"{"event":"pusher:ping","data":{}}"#);
    assert_eq!(clients[0].next().name, "pusher:pong");
    served.signal(Signal::TERM);
    let (status, log) = served.wait();
    assert_eq!(status.code(), Some(1));
    assert!(!log.concat().contains("reloaded"), "{log:#?}");
    assert!(
        begin.elapsed() < Duration::from_secs(9),
        "not the ten minutes of the waves"
    );
}

#[test]
fn at_its_deadline_the_stop_is_over_whoever_is_left() {
    let served = start(
        "deadline",
        "drain_spread_ms = 600000\nstop_deadline_ms = 700\n",
    );
    let mut clients = [0, 1].map(|n| Client::connect_on(served.address, "k1", n));
    let begin = Instant::now();
    served.signal(Signal::TERM);
    let (status, log) = served.wait();
    let took = begin.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(log.concat().contains("who is left is cut off"), "{log:#?}");
    assert!(
        took >= Duration::from_millis(700) && took < Duration::from_secs(5),
        "{took:?}"
    );
    for client in &mut clients {
        assert_eq!(client.ws.next(), Incoming::End);
    }
}
