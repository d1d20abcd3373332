//! How it is told: signed bodies, batches, tries, and receivers that misbehave (K1 to K4, K6, K9).

use crate::receiver::{Answer, Receiver};
use crate::support::pusher::Client;
use crate::support::server::{TestServer, config};
use crate::{app_with, everything, names, only, quick, told, wait_until};
use shardcast::app::{App, Webhook, WebhookKind};
use shardcast::server::config::Config;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

const OCCUPIED: &[WebhookKind] = &[WebhookKind::ChannelOccupied];

#[test]
fn unbatched_each_event_has_its_signed_body() {
    // K1, K2, K6
    let receiver = Receiver::plain();
    let app = app_with([only(receiver.url(), OCCUPIED)]);
    let server = TestServer::start(quick([app.clone()]));
    let mut client = server.client();
    for channel in ["a", "b", "c"] {
        client.subscribe(channel);
    }
    for _ in 0..3 {
        let got = receiver.next();
        assert_eq!(got.line, "POST /hook?of=test HTTP/1.1");
        let version = concat!("shardcast/", env!("CARGO_PKG_VERSION"));
        assert_eq!(got.header("user-agent"), version);
        let time_ms = got.json(&app)["time_ms"].as_u64().expect("a number");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let age = (now.unwrap().as_millis() as u64).abs_diff(time_ms);
        assert!(age < 60_000, "{age}");
        assert_eq!(got.events(&app).len(), 1);
    }
}

#[test]
fn batches_are_of_one_app() {
    // K6, K8
    let receiver = Receiver::plain();
    let apps: Vec<App> = ["first", "second"]
        .map(|name| App {
            webhooks: vec![only(receiver.url(), OCCUPIED)],
            ..App::new(name, name, format!("secret of {name}"))
        })
        .into();
    let server = TestServer::start(Config {
        webhook_batching: true,
        webhook_batch_ms: 500,
        ..quick(apps.clone())
    });
    let mut clients = apps
        .iter()
        .map(|app| Client::connect(server.address(), &app.key));
    let mut clients: Vec<Client> = clients.by_ref().collect();
    for number in 0..20 {
        for (client, app) in clients.iter_mut().zip(&apps) {
            client.subscribe(&format!("{}-{number}", app.id));
        }
    }
    let (mut events, mut bodies) = (0, 0);
    while events < 40 {
        let got = receiver.next();
        let app = apps
            .iter()
            .find(|app| app.key == got.header("x-pusher-key"));
        let app = app.expect("an app sent it");
        for event in got.events(app) {
            let channel = event["channel"].as_str().expect("names are text");
            assert!(
                channel.starts_with(&app.id),
                "{channel} came with {}",
                app.id
            );
            events += 1;
        }
        bodies += 1;
    }
    assert_eq!(events, 40);
    assert!(bodies < 40, "something was batched");
}

#[test]
fn what_fails_comes_again_byte_for_byte_until_it_is_taken() {
    // K3, K4, K9
    const FAILURES: usize = 12;
    let receiver = Receiver::answering(|number| match number % 3 {
        _ if number >= FAILURES => Answer::Status(200, ""),
        0 => Answer::Status(500, ""),
        1 => Answer::Status(404, ""),
        _ => Answer::Status(503, "Retry-After: 1\r\n"),
    });
    let app = app_with([only(
        receiver.url(),
        &[WebhookKind::ChannelOccupied, WebhookKind::ChannelVacated],
    )]);
    let mut server = TestServer::start(quick([app.clone()]));
    let counts = server.webhooks();
    let mut client = server.client();
    for channel in ["a", "b", "c"] {
        client.subscribe(channel);
        client.unsubscribe(channel);
        client.subscribe(channel); // may come within the delay: then neither is told
    }
    let mut refused: BTreeSet<Vec<u8>> = BTreeSet::new();
    for _ in 0..FAILURES {
        let got = receiver.next();
        got.events(&app);
        refused.insert(got.body);
    }
    assert!(refused.len() < FAILURES, "what failed was sent again");
    let mut taken = Vec::new();
    while !refused.is_empty() || taken.len() < 3 {
        let got = receiver.next();
        refused.remove(&got.body);
        taken.extend(got.events(&app));
    }
    server.end();
    taken.extend(receiver.rest(&app));
    for channel in ["a", "b", "c"] {
        let names = names(&taken, channel);
        for pair in names.windows(2) {
            assert_ne!(
                pair[0], pair[1],
                "{channel}: in order, and each once: {names:?}"
            );
        }
        assert_eq!(names.first().map(String::as_str), Some("channel_occupied"));
        assert_eq!(names.last().map(String::as_str), Some("channel_vacated"));
    }
    let totals = counts.totals();
    assert_eq!(totals.failed_requests, FAILURES as u64);
    assert_eq!(totals.delivered, taken.len() as u64);
    assert_eq!((totals.given_up, totals.dropped_at_stop), (0, 0));
}

#[test]
fn a_redirect_is_not_followed() {
    // K11
    let elsewhere = Receiver::plain();
    let location = format!("Location: {}\r\n", elsewhere.url());
    let location: &'static str = location.leak();
    let receiver = Receiver::answering(move |number| match number {
        0 => Answer::Status(307, location),
        1 => Answer::Status(302, location),
        _ => Answer::Status(204, ""),
    });
    let app = app_with([only(receiver.url(), OCCUPIED)]);
    let mut server = TestServer::start(quick([app]));
    server.client().subscribe("a");
    let first = receiver.next();
    assert_eq!(receiver.next().body, first.body);
    assert_eq!(receiver.next().body, first.body);
    server.end();
    assert!(elsewhere.here().is_none() && receiver.here().is_none());
}

#[test]
fn what_is_never_taken_is_given_up_and_counted() {
    // K4
    let receiver = Receiver::answering(|_| Answer::Status(500, ""));
    let app = app_with([only(receiver.url(), OCCUPIED)]);
    let mut server = TestServer::start(Config {
        webhook_retry_ms: 100,
        webhook_give_up_ms: 1000,
        ..quick([app])
    });
    let counts = server.webhooks();
    server.client().subscribe("a");
    wait_until(|| counts.totals().given_up == 1);
    let tries = counts.totals().failed_requests;
    assert!(
        (2..=6).contains(&tries),
        "100, 200, 400 ms with jitter: {tries}"
    );
    server.end();
    assert_eq!(counts.totals().delivered, 0);
}

#[test]
fn a_receiver_that_says_nothing_delays_nobody() {
    let (dead, alive) = (Receiver::answering(|_| Answer::Silence), Receiver::plain());
    let app = app_with([everything(dead.url()), only(alive.url(), OCCUPIED)]);
    let mut server = TestServer::start(Config {
        webhook_timeout_ms: 300,
        webhook_queue_bytes: 20_000,
        ..quick([app.clone()])
    });
    let counts = server.webhooks();
    let [mut one, mut two] = server.pair();
    for client in [&mut one, &mut two] {
        client.subscribe("a");
    }
    let mut rest = server.rest();
    // Far more than may wait: every publish gets through, and what does not fit is counted.
    for number in 0..200 {
        let channel = format!("b-{number}");
        one.subscribe(&channel);
        one.unsubscribe(&channel);
        rest.trigger("a", "tick", &number.to_string());
        for client in [&mut one, &mut two] {
            assert_eq!(client.expect("tick").text(), number.to_string());
        }
    }
    // The other endpoint has heard of everything that came, whatever the first one does.
    let mut events = Vec::new();
    while names(&events, "a").is_empty() {
        events.extend(alive.next().events(&app)); // between channels there is no order
    }
    assert_eq!(names(&events, "a"), ["channel_occupied"]);
    wait_until(|| counts.totals().dropped_by_full_queues > 0);
    wait_until(|| counts.totals().failed_requests > 0);
    let start = Instant::now();
    server.end();
    // The grace for clients (5 s, since these two do not answer) and that for webhooks (2 s); on a
    // busy machine a little more, but not until somebody loses patience.
    assert!(start.elapsed() < Duration::from_secs(12));
    let totals = counts.totals();
    assert!(
        totals.dropped_at_stop > 0 && totals.delivered > 0,
        "{totals:?}"
    );
    assert_eq!(totals.dropped_by_shards, 0);
}

#[test]
fn an_answer_without_an_end_is_an_answer() {
    let receiver = Receiver::answering(|_| Answer::Endless);
    let app = app_with([only(receiver.url(), OCCUPIED)]);
    let mut server = TestServer::start(quick([app.clone()]));
    let counts = server.webhooks();
    server.client().subscribe("a");
    wait_until(|| counts.totals().delivered == 1);
    server.end();
    assert_eq!(receiver.events(&app, 1).len(), 1);
    assert!(receiver.here().is_none(), "it was sent once");
    // Some 64 KB are read, and the kernel's buffers may be full.
    let taken = receiver.taken.load(Ordering::SeqCst);
    assert!(taken < 32 << 20, "{taken} bytes were taken");
}

#[test]
fn what_waits_when_the_server_stops_still_leaves() {
    let receiver = Receiver::plain();
    let app = told(&receiver);
    let mut server = TestServer::start(Config {
        flap_ms: 60_000,
        webhook_batching: true,
        webhook_batch_ms: 60_000,
        ..config([app.clone()])
    });
    let counts = server.webhooks();
    let mut client = server.client();
    client.subscribe("a");
    server.end();
    let got = receiver.next();
    let events = got.events(&app);
    assert_eq!(names(&events, "a"), ["channel_occupied", "channel_vacated"]);
    assert_eq!(
        names(&events, ""),
        ["connection_opened", "connection_closed"]
    );
    assert_eq!(counts.totals().delivered, 4);
}

#[test]
fn nobody_listens_there() {
    let gone = {
        let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        receiver.local_addr().expect("it is bound")
    };
    let app = app_with([Webhook {
        trusted: true,
        ..Webhook::new(format!("http://{gone}/"))
    }]);
    let mut server = TestServer::start(Config {
        webhook_give_up_ms: 100,
        ..quick([app])
    });
    let counts = server.webhooks();
    server.client().subscribe("a");
    wait_until(|| counts.totals().given_up >= 1);
    server.end();
}
