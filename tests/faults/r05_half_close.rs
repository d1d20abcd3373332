//! R05: clients whose side ends, or breaks off, without a word of the WebSocket protocol.

use crate::proxy::{End, GOOD, Proxy};
use crate::scene::{Scene, row};
use crate::support::pusher::Client;
use serde_json::json;

const CLIENTS: usize = 40;

fn members(scene: &Scene, proxy: &Proxy) -> Vec<Client> {
    let joined = (0..CLIENTS).map(|n| {
        let mut client = Client::connect(proxy.address, "app-key");
        let member = json!({"user_id": n.to_string()});
        client.join(&scene.keys, "presence-half", &member);
        client
    });
    joined.collect()
}

#[test]
fn r05_a_client_that_only_ends_its_side_is_gone_at_once() {
    row("r05").run(|scene| {
        let proxy = Proxy::start(scene.address(), GOOD);
        let mut witness = scene.client();
        witness.join(&scene.keys, "presence-half", &json!({"user_id": "witness"}));
        let mut clients = members(scene, &proxy);
        let mut there: Vec<bool> = vec![true; CLIENTS];
        for _ in 0..CLIENTS {
            witness.expect("pusher_internal:member_added");
        }
        proxy.set(|line| line.end = End::HalfClosed);
        for client in &mut clients {
            assert!(client.ws.wire.ends_somehow(), "it is still served");
        }
        for _ in 0..CLIENTS {
            let gone = witness.expect("pusher_internal:member_removed").json();
            let number: usize = gone["user_id"].as_str().unwrap().parse().unwrap();
            assert!(std::mem::take(&mut there[number]), "{number} is told once");
        }
        witness.expect_quiet();
    });
}

#[test]
fn r05_a_client_that_is_reset_is_gone_at_once() {
    row("r05-reset").run(|scene| {
        let proxy = Proxy::start(scene.address(), GOOD);
        let clients = members(scene, &proxy);
        proxy.set(|line| line.end = End::Reset);
        let gone = json!({"occupied": false});
        scene
            .backend()
            .expect_soon("channels/presence-half", &[], &gone);
        drop(clients);
    });
}
