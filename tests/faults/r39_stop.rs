//! R39: a server that is stopped under load, while another one takes its clients over.
//!
//! Whoever stops a server has no bystanders left on it: the fifty are on the one that all come to,
//! and the clients of the other hear each event once and in order until they are told to go.

use crate::process::Process;
use crate::scene::{Scene, row};
use crate::support::http::{Http, request};
use crate::support::metrics::get;
use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::wire::PATIENCE;
use rustix::process::Signal;
use serde_json::json;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 600;
const SECONDS: usize = 3;
const LATE: &str = "late";

/// What a client saw of the end.
struct Told {
    at: Instant,
    heard_late: bool,
}

/// Reads up to the close: events whose data count up from the first, then perhaps the late one.
fn read_to_close(client: &mut Client, events: usize) -> Told {
    let (mut next, mut heard_late) = (0, false);
    loop {
        let event = client.next();
        match event.name.as_str() {
            "e" => {
                assert_eq!(event.text(), next.to_string(), "each once, in order");
                next += 1;
            }
            LATE => heard_late = true,
            _ => {
                let at = Instant::now();
                assert_eq!(event.error().0, Some(4100));
                client.ws.expect_close(4100);
                assert_eq!(
                    next, events,
                    "what was published before the stop is not lost"
                );
                return Told { at, heard_late };
            }
        }
    }
}

/// A publish whose body has begun, and the byte that it wants for.
fn begin_publish(backend: Rest) -> (Http, u8) {
    let body = json!({"name": LATE, "channel": "news", "data": ""}).to_string();
    let target = backend
        .keys
        .target("POST", "/apps/1001/events", &[], body.as_bytes());
    let whole = request("POST", &target, &["Expect: 100-continue"], body.as_bytes());
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut http = backend.http;
    http.wire.send(head);
    assert_eq!(http.head_response().status, 100, "its body is waited for");
    let (last, body) = body.split_last().unwrap();
    http.wire.send(body);
    (http, *last)
}

/// As many in each second as in any other, as far as the seconds are whole.
fn expect_waves(told: &[Told], start: Instant) {
    let mut in_second = [0; SECONDS + 1];
    for it in told {
        in_second[((it.at - start).as_secs() as usize).min(SECONDS)] += 1;
    }
    println!("r39: told in each second: {in_second:?}");
    let share = CLIENTS / SECONDS;
    for count in &in_second[..SECONDS - 1] {
        assert!(
            count * 4 >= share * 3 && count * 4 <= share * 5,
            "{in_second:?}"
        );
    }
}

fn stop_under_load(scene: &Scene) {
    let spread = format!("--drain-spread-ms={}", SECONDS * 1000);
    let old = Process::start(&["--shards", "2", &spread]);
    let mut of_shard: [Vec<Client>; 2] = Default::default();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(old.address, "app-key");
        client.subscribe("news");
        of_shard[client.shard() as usize].push(client);
    }
    let backend = |keys| Rest {
        keys,
        http: Http::connect(old.address),
    };
    let (mut late, last) = begin_publish(backend(scene.keys.clone()));
    const EVENTS: usize = 100;
    let mut load = backend(scene.keys.clone());
    (0..EVENTS).for_each(|number| load.trigger("news", "e", &number.to_string()));
    let (begun, admin) = (Instant::now(), old.admin.unwrap());
    old.signal(Signal::TERM);
    while get(admin, "/ready").status != 503 {
        assert!(begun.elapsed() < PATIENCE, "it stays ready");
    }
    assert!(TcpStream::connect(old.address).is_err(), "nobody is let in");
    let told: Vec<Told> = thread::scope(|scope| {
        let read = |clients: Vec<Client>| -> Vec<Told> {
            let told = clients.into_iter().map(|mut client| {
                let told = read_to_close(&mut client, EVENTS);
                // As clients do, they come back, and to who is there now.
                let mut back = scene.client();
                back.subscribe("news");
                back.expect_quiet();
                told
            });
            told.collect()
        };
        let readers = of_shard.map(|clients| scope.spawn(move || read(clients)));
        late.wire.send([last]);
        let answer = late.response();
        assert_eq!(answer.status, 200, "{}", answer.text());
        drop((late, load));
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect()
    });
    let heard = told.iter().filter(|it| it.heard_late).count();
    assert!(
        heard > CLIENTS / 2,
        "{heard}: who was still there has got it"
    );
    expect_waves(&told, begun);
    let (status, log) = old.wait();
    assert!(
        status.success() && !log.contains("panicked"),
        "{status}: {log}"
    );
    let took = begun.elapsed();
    println!("r39: over after {took:.1?}");
    assert!(took < Duration::from_secs(SECONDS as u64 + 2), "{took:?}");
}

#[test]
fn r39_a_stop_under_load_sends_all_to_the_next_server_in_waves_and_loses_nothing() {
    row("r39").with_servers().run(stop_under_load);
}

#[test]
fn r39_a_stop_is_over_at_its_deadline_whoever_is_left() {
    const DEADLINE: Duration = Duration::from_millis(800);
    row("r39-deadline").with_servers().run(|scene| {
        let deadline = format!("--stop-deadline-ms={}", DEADLINE.as_millis());
        let old = Process::start(&["--shards", "2", "--drain-spread-ms=600000", &deadline]);
        let connect = || Client::connect(old.address, "app-key");
        let mut clients: Vec<Client> = (0..CLIENTS / 4).map(|_| connect()).collect();
        let begun = Instant::now();
        old.signal(Signal::TERM);
        for client in &mut clients {
            assert!(client.ws.wire.ends_somehow());
        }
        let (status, log) = old.wait();
        let took = begun.elapsed();
        assert!(
            status.success() && log.contains("who is left is cut off"),
            "{status}: {log}"
        );
        assert!(
            (DEADLINE..DEADLINE + Duration::from_secs(2)).contains(&took),
            "{took:?}"
        );
        scene.client().expect_quiet();
    });
}
