//! R42: a server with little memory, and everything at once that takes some: clients that do not
//! read, messages that inflate, channels without number.

use crate::group::Group;
use crate::scene::{Scene, row};
use crate::shell::by;
use crate::support::deflate::{RSV1, deflated};
use crate::support::http::Http;
use crate::support::metrics::{Values, get};
use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::sign::Keys;
use crate::support::websocket::{FIN, Incoming, TEXT, frame, shake_at, text};
use crate::support::wire::PATIENCE;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// All that there is.
const MEMORY: u64 = 256 << 20;
/// Where newcomers are turned away. Below it the server gives nothing back that it may need again.
const SOFT_PERCENT: u32 = 30;
/// Where some are closed: as far from the end as the server may be outrun between two looks.
const HARD_PERCENT: u32 = 70;
/// What the clients that do not read may owe together is four times what there is.
const STALLED: usize = 64;
const OUTBOX: usize = 16 << 20;
const EVENT: usize = 256 << 10;
/// How often some have to be closed for their memory before it is enough.
const CLOSED: f64 = 40.0;

fn app() -> String {
    format!("[[apps]]\nid = '2'\nkey = 'k2'\nsecret = 's2'\nevent_data_bytes = {EVENT}\n")
}

/// What the others have done by the time that it is enough.
#[derive(Default)]
struct Done {
    enough: AtomicBool,
    bombs: AtomicUsize,
    channels: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Done {
    fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }
}

/// Ends what the others do, also when this one fails.
struct End<'d>(&'d Done);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::Relaxed);
    }
}

/// Publishes to those that do not read, and watches; says whether `/accept-traffic` said no.
fn fill(scene: &Scene, done: &Done) -> bool {
    let _end = End(done);
    let admin = scene.server.admin.unwrap();
    let stalled: Vec<Client> = (0..STALLED)
        .map(|number| {
            let mut client = Client::connect_narrow(scene.address(), "k2");
            client.subscribe(&format!("slow-{number}"));
            client
        })
        .collect();
    let mut backend = Rest {
        keys: Keys::new("2", "k2", "s2").of_today(),
        http: Http::connect(scene.address()),
    };
    let data = "x".repeat(EVENT);
    let mut is_refused = false;
    for round in 0.. {
        assert!(round * EVENT < 8 * OUTBOX, "nobody was closed");
        for number in 0..STALLED {
            let channel = format!("slow-{number}");
            backend.publish(&json!({"name": "e", "channel": channel, "data": data}));
            is_refused |= get(admin, "/accept-traffic").status == 503;
        }
        let closed = Values::of(admin).sum("memory_closes_total", &[]);
        if closed >= CLOSED {
            println!("r42: {closed} of {} were closed", stalled.len());
            return is_refused;
        }
    }
    unreachable!("it ends by itself")
}

/// Sends bombs as long as newcomers are let in, and counts when they are not.
fn inflate(scene: &Scene, done: &Done) {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate";
    let bomb = frame(FIN | RSV1 | TEXT, deflated(vec![b'0'; 60_000_000]));
    while !done.is_enough() {
        let (answer, mut ws) = shake_at(scene.address(), "/app/app-key?protocol=7", &[OFFER]);
        if answer.status == 503 {
            done.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        assert_eq!(answer.status, 101);
        ws.expect_text();
        ws.wire.send_while_open(&bomb);
        assert!(matches!(ws.next(), Incoming::Close(Some((1009, _)))));
        done.bombs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes channels and leaves them, over one connection.
fn churn(client: &mut Client, done: &Done) {
    for number in 0.. {
        if done.is_enough() {
            return;
        }
        let name = format!("churn-{number}");
        client.subscribe(&name);
        client.ws.send(text(
            json!({"event": "pusher:unsubscribe", "data": {"channel": name}}).to_string(),
        ));
        done.channels.fetch_add(1, Ordering::Relaxed);
    }
}

fn exhaust(scene: &Scene) {
    let (done, mut client) = (Done::default(), scene.client());
    let is_refused = thread::scope(|scope| {
        let filling = scope.spawn(|| fill(scene, &done));
        scope.spawn(|| inflate(scene, &done));
        scope.spawn(|| churn(&mut client, &done));
        filling.join().unwrap()
    });
    let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
    let peak = scene.server.memory().1;
    println!(
        "r42: {} bombs, {} channels, {} turned away; at most {peak} bytes of {MEMORY}",
        count(&done.bombs),
        count(&done.channels),
        count(&done.turned_away),
    );
    assert!(peak < MEMORY, "{peak}");
    assert!(is_refused, "a balancer is not told to look elsewhere");
    assert!(count(&done.bombs) > 0 && count(&done.channels) > 0 && count(&done.turned_away) > 0);
    let (admin, start) = (scene.server.admin.unwrap(), Instant::now());
    while get(admin, "/accept-traffic").status != 200 {
        assert!(start.elapsed() < PATIENCE, "the memory is not given back");
    }
    client.expect_quiet();
}

#[test]
fn r42_when_memory_runs_out_those_that_hold_it_are_closed_and_the_server_lives() {
    let group = Group::new("r42", MEMORY);
    let script = group.as_ref().map(Group::script);
    let mut plan = row("r42");
    plan = match &script {
        Some(script) => plan.by(&by(script)),
        None => {
            println!("r42: no control group can be made: the server is told its limit");
            plan.flag("--memory-bytes", MEMORY)
        }
    };
    plan.apps(&app())
        .keeps(MEMORY * u64::from(SOFT_PERCENT) / 100)
        .flag("--websocket-compression", true)
        .flag("--outbox-bytes", OUTBOX)
        .flag("--body-bytes", 2 * EVENT)
        .flag("--message-bytes", 2 * EVENT)
        .flag("--write-stall-ms", 60_000)
        .flag("--memory-soft-percent", SOFT_PERCENT)
        .flag("--memory-hard-percent", HARD_PERCENT)
        .run(|scene| {
            let limit = Values::of(scene.server.admin.unwrap()).sum("memory_limit_bytes", &[]);
            assert_eq!(limit as u64, MEMORY);
            exhaust(scene);
        });
}
