//! A hundred reloads while events go out.

use crate::served::Served;
use crate::support::pusher::Client;
use crate::{app, file, keys};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const RELOADS: u32 = 100;

/// Clients that must not notice.
const BYSTANDERS: u64 = 50;

/// What the file says at each reload, and whether it makes sense.
fn version(number: u32) -> (String, bool) {
    let steady = app(1, "client_events = true");
    let passing = app(100 + number, "max_connections = 10");
    match number % 5 {
        0 => (file(&[&steady, "key = 'broken"]), false),
        1 => (file(&["body_bytes = 20000\n", &steady, &passing]), true),
        2 => (file(&[&steady, &passing, &passing]), false), // the same app twice
        3 => (file(&["outbox_bytes = 2000000\n", &steady]), true),
        _ => (
            file(&["message_bytes = 20000\n", &app(1, "client_events = false")]),
            true,
        ),
    }
}

/// Ends the load, also when the test fails.
struct End<'d>(&'d AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// R40
#[test]
fn a_hundred_reloads_with_broken_files_among_them_lose_no_client_and_no_event() {
    let served = Served::start("hundred", &version(3).0);
    let connect = |n| Client::connect_on(served.address, "k1", n % 2);
    let mut clients: Vec<Client> = (0..BYSTANDERS).map(connect).collect();
    for client in &mut clients {
        client.subscribe("news");
    }
    let done = AtomicBool::new(false);
    let (sent, mut clients) = thread::scope(|scope| {
        let (mut rest, done) = (served.rest(&keys(1)), &done);
        let load = scope.spawn(move || {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) {
                let number = sent.to_string();
                rest.trigger("news", "n", &number);
                for client in &mut clients {
                    let event = client.expect("n");
                    assert_eq!((event.channel(), event.text()), ("news", &*number));
                }
                sent += 1;
            }
            (sent, clients)
        });
        let end = End(done);
        for number in 0..RELOADS {
            let (text, makes_sense) = version(number);
            let lines = served.reload(&text);
            let is_done = lines.last().unwrap().contains("reloaded the configuration");
            assert_eq!(is_done, makes_sense, "{number}: {lines:#?}");
            assert!(!lines.concat().contains("canary"), "{lines:#?}");
            if makes_sense {
                let mut newcomer = Client::connect(served.address, "k1");
                newcomer.subscribe("other");
            }
        }
        drop(end);
        load.join().expect("nobody was lost")
    });
    assert!(sent > u64::from(RELOADS) / 4, "there was a load: {sent}");
    for client in &mut clients {
        client.expect_quiet();
    }
}
