//! R26: tokens and signatures that are guessed.

use crate::scene::row;
use crate::support::http::Http;
use crate::support::pusher::Event;
use crate::support::websocket::{Incoming, text};
use serde_json::json;

const GUESSES: usize = 1_000;

#[test]
fn r26_who_guesses_tokens_is_closed() {
    row("r26").run(|scene| {
        let mut client = scene.client();
        let guess = |n: usize| {
            let auth = format!("app-key:{n:064x}");
            let data = json!({"channel": "private-a", "auth": auth});
            text(json!({"event": "pusher:subscribe", "data": data}).to_string())
        };
        let all: Vec<u8> = (0..GUESSES).flat_map(guess).collect();
        client.ws.wire.send_while_open(&all);
        let mut refused = 0;
        let code = loop {
            match client.ws.next() {
                Incoming::Text(text) => {
                    let event = Event::parse(&text);
                    assert!(event.name.contains("error"), "{event:?}");
                    refused += usize::from(event.name == "pusher:subscription_error");
                }
                Incoming::Close(Some((code, _))) => {
                    println!("r26: closed with {code} after {refused} refusals");
                    break code;
                }
                other => panic!("{other:?}"),
            }
        };
        // Past its wrong signatures in a minute, or past its refusals in a second.
        assert!(matches!(code, 4009 | 1008), "{code}");
        assert!((1..GUESSES).contains(&refused), "{refused}");
        // Who knows the secret is let in all the while.
        scene.client().subscribe_signed(&scene.keys, "private-a");
    });
}

#[test]
fn r26_who_guesses_signatures_learns_less_and_others_are_served() {
    row("r26-rest").run(|scene| {
        let good = scene.keys.target("GET", "/apps/1001/channels", &[], b"");
        let (asked, _) = good.split_once("auth_signature=").unwrap();
        let mut http = Http::connect(scene.address());
        let mut lengths = Vec::new();
        for n in 0..GUESSES {
            let response = http.ask("GET", &format!("{asked}auth_signature={n:064x}"), b"");
            assert!(matches!(response.status, 401 | 429), "{response:?}");
            lengths.push(response.body.len());
            if response.closes() {
                http = Http::connect(scene.address());
            }
        }
        let shortest = lengths.iter().min().unwrap();
        assert!(lengths[0] > *shortest, "each of {GUESSES} was explained");
        scene.backend().get_json("channels", &[]);
    });
}
