//! R28: certificates that change under handshakes, and bad ones among them.

use crate::pki::{Pki, flags, port};
use crate::scene::row;
use crate::support::pusher::{Client, QUERY};
use crate::support::websocket::Ws;
use rustix::process::Signal;
use serde_json::json;
use std::collections::HashSet;

const ROUNDS: usize = 40;

#[test]
fn r28_certificates_that_change_drop_nobody_and_bad_ones_stay_out() {
    let pki = Pki::new("r28");
    let mut last = pki.write("main", &["localhost"]);
    let plan = flags(&pki).into_iter().fold(row("r28"), |plan, flag| {
        let (name, value) = flag.split_once('=').unwrap();
        plan.flag(name, value)
    });
    plan.run(|scene| {
        let address = port(&scene.server.banner);
        let connect = || {
            let ws = Ws::over(pki.wire(address), &format!("/app/app-key{QUERY}"));
            Client::greeted(ws)
        };
        let mut clients = Vec::new();
        let mut seen = HashSet::new();
        for round in 0..ROUNDS {
            let is_bad = round % 4 == 3;
            match is_bad {
                true => pki.put("main", &("no certificate".into(), "no key".into())),
                false => last = pki.write("main", &["localhost"]),
            }
            scene.server.signal(Signal::HUP);
            clients.push(connect());
            // A good one is shown before long; a bad one never is.
            if !is_bad {
                scene.until("the new certificate is shown", || {
                    pki.shown(address, "localhost") == last
                });
            }
            let shown = pki.shown(address, "localhost");
            assert!(shown == last, "round {round}");
            seen.insert(shown);
        }
        assert_eq!(seen.len(), ROUNDS - ROUNDS / 4);
        for client in &mut clients {
            client.send(&json!({"event": "pusher:ping", "data": {}}));
            client.expect("pusher:pong");
        }
    });
}
