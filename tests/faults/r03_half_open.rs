//! R03: the line to a client is cut while nothing is said.

use crate::namespace::{FAR, cut, inside};
use crate::scene::row;
use crate::support::pusher::{Client, QUERY};
use crate::support::websocket::Ws;
use crate::support::wire::Wire;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Told to say something every second; pinged a moment later, and given up another one later.
const HASTY: &str = "[[apps]]\nid = \"2\"\nkey = \"hasty\"\nsecret = \"hasty-secret\"\n\
                     activity_timeout_s = 1\n";
const MEMBERS: usize = 20;
/// All of that, and the five seconds that each has to answer its close.
const LIMIT: Duration = Duration::from_secs(15);

/// A client from the address whose line will be cut.
pub fn far(address: SocketAddr, key: &str) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((FAR, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let wire = Wire::over(socket.into());
    Client::greeted(Ws::over(wire, &format!("/app/{key}{QUERY}")))
}

#[test]
fn r03_members_behind_a_cut_line_are_removed_once_each() {
    let plan = || {
        row("r03")
            .apps(HASTY)
            .flag("--activity-grace-ms", 200)
            .flag("--pong-wait-ms", 1_000)
    };
    inside(|| {
        plan().run(|scene| {
            let keys = crate::support::sign::Keys::new("2", "hasty", "hasty-secret");
            let mut witness = Client::connect(scene.address(), "hasty");
            witness.join(&keys, "presence-far", &json!({"user_id": "witness"}));
            let mut lost = Vec::new();
            for number in 0..MEMBERS {
                let mut client = far(scene.address(), "hasty");
                client.join(
                    &keys,
                    "presence-far",
                    &json!({"user_id": number.to_string()}),
                );
                witness.expect_through_pings("pusher_internal:member_added");
                lost.push(client);
            }
            cut();
            let start = Instant::now();
            let mut there = [true; MEMBERS];
            for _ in 0..MEMBERS {
                let gone = witness.expect_through_pings("pusher_internal:member_removed");
                let number: usize = gone.json()["user_id"].as_str().unwrap().parse().unwrap();
                assert!(std::mem::take(&mut there[number]), "{number} is told once");
            }
            let took = start.elapsed();
            println!("r03: {MEMBERS} members were found gone within {took:.1?}");
            assert!(took < LIMIT, "{took:?}");
            witness.expect_quiet();
        });
    });
}
