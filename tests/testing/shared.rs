//! What shards share in a test: tables, the server's handle, and Pusher clients beside handlers.

use crate::room::{Room, Shared, panic_of, room, routes};
use crate::support::server::app;
use serde::Deserialize;
use serde_json::json;
use shardcast::handler::{Client, Endpoint, Handshake, Named, Request, Router, SharedTable};
use shardcast::server::ServerError;
use shardcast::testing::{Client as Ws, Shards, Testing};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[derive(Deserialize)]
struct Row {
    key: String,
    row: u32,
}

/// Named handlers over a table that all shards share.
fn named(router: &mut Router) {
    let rows: SharedTable<String, u32> = router.table("rows").with_limit(20);
    router.mount("/table", move |_| {
        let (set, own, sum) = (rows.clone(), rows.clone(), rows);
        Named::session(async |request: &Request<'_>| {
            let name = request.query_param("name").unwrap_or_default();
            Ok(Handshake::accept(name.into_owned()))
        })
        .on("set", async move |client: &mut Client<String>, of: Row| {
            let before = set.set(of.key, of.row).await?;
            Ok(client.send_text(&format!("{} had {before:?}", client.session()))?)
        })
        .on("own", async move |client: &mut Client<String>, of: Row| {
            own.set_for(client.id(), of.key, of.row).await?;
            Ok(client.send_text("owned")?)
        })
        .on("sum", async move |client: &mut Client<String>, (): ()| {
            let (count, mut all) = (sum.count().await, 0);
            sum.for_each(|_, row| all += row).await;
            Ok(client.send_text(&format!("{count} rows, {all}"))?)
        })
    });
}

fn ask(client: &mut Ws, event: &str, data: &serde_json::Value) -> String {
    client.send_text(&json!({"event": event, "data": data}).to_string());
    client.expect_text()
}

fn sum(client: &mut Ws) -> String {
    ask(client, "sum", &json!(null))
}

#[test]
fn a_table_has_its_rows_on_all_shards() {
    for seed in 0..5 {
        let shards = Testing::new(named).shards(4).seed(seed).start();
        let mut ann = shards.on(0).connect("/table?name=ann");
        let mut bob = shards.on(3).connect("/table?name=bob");
        for n in 0..10 {
            let of = json!({"key": format!("key {n}"), "row": n});
            assert_eq!(ask(&mut ann, "set", &of), "ann had None");
        }
        let again = ask(&mut bob, "set", &json!({"key": "key 9", "row": 10}));
        assert_eq!(again, "bob had Some(9)");
        assert_eq!(sum(&mut ann), "10 rows, 46");
        let snapshot = shards.wait_for(shards.server().snapshot()).unwrap();
        let homes = snapshot.shards.iter().map(|shard| shard.rows[0].1);
        let homes: Vec<_> = homes.collect();
        assert_eq!(homes.iter().sum::<usize>(), 10);
        assert!(
            homes.iter().filter(|rows| **rows > 0).count() > 1,
            "{homes:?}"
        );
        // A row that is bound to a client goes with it, wherever its home is.
        for n in 0..4 {
            let of = json!({"key": format!("own {n}"), "row": 100});
            assert_eq!(ask(&mut bob, "own", &of), "owned");
        }
        assert_eq!(sum(&mut ann), "14 rows, 446");
        bob.vanish();
        assert_eq!(sum(&mut ann), "10 rows, 46");
        shards.stop();
    }
}

#[test]
fn tables_are_full_and_events_unknown_as_on_a_server() {
    let shards = Testing::new(named).start();
    let mut ann = shards.connect("/table?name=ann");
    let unknown = ask(&mut ann, "what", &json!(1));
    assert!(unknown.contains("unknown-event"), "{unknown}");
    let bad = ask(&mut ann, "set", &json!({"key": 1}));
    assert!(bad.contains("bad-data"), "{bad}");
    for n in 0..20 {
        let of = json!({"key": n.to_string(), "row": 0});
        assert_eq!(ask(&mut ann, "set", &of), "ann had None");
    }
    ann.send_text(r#"{"event": "set", "data": {"key": "one more", "row": 0}}"#);
    assert_eq!(ann.expect_close().0, 1011);
    let mut bob = shards.connect("/table?name=bob");
    assert_eq!(sum(&mut bob), "20 rows, 0");
    shards.stop();
}

fn two() -> (Shards, Shared, [Ws; 2]) {
    let (shards, shared) = room();
    let clients = ["ann", "bob"].map(|name| shards.connect(&format!("/room/{name}")));
    (shards, shared, clients)
}

#[test]
fn the_servers_handle_reaches_clients_of_all_shards() {
    let (shards, shared, [mut ann, mut bob]) = two();
    let handle = shards.server();
    let ids = shared.ids.take();
    handle.broadcast("/room/{name}", "to all").unwrap();
    for (client, id) in [&mut ann, &mut bob].into_iter().zip(&ids) {
        handle.send(*id, "to one").unwrap();
        assert_eq!(client.expect_text(), "to all");
        assert_eq!(client.expect_text(), "to one");
    }
    handle.close(ids[1], 4321, "out").unwrap();
    assert_eq!(bob.expect_close(), (4321, "out".to_owned()));
    let snapshot = shards.wait_for(handle.snapshot()).unwrap();
    assert_eq!(snapshot.connections(), 1);
    assert_eq!(snapshot.clients("/room/{name}"), Some(1));
    assert!(handle.broadcast("/elsewhere", "x").is_err());
    shards.stop();
    assert!(handle.broadcast("/room/{name}", "too late").is_err());
}

#[test]
fn what_would_wait_for_ever_fails_the_test() {
    let (shards, ..) = two();
    let handle = shards.server();
    for text in [
        panic_of(|| handle.clone().wait()),
        panic_of(|| handle.snapshot().wait()),
    ] {
        assert!(text.contains("Shards::wait_for"), "{text}");
        assert!(text.contains("Shards::stop"), "{text}");
    }
    let text = panic_of(|| shards.wait_for(std::future::pending::<()>()));
    assert!(text.contains("has not come within 60s"), "{text}");
    // Asked to stop, by a handle as by a handler, the shards end while they are waited for.
    handle.stop();
    shards.wait_for(handle.clone().ended()).unwrap();
    handle.wait().unwrap();
    shards.stop();
    let (shards, ..) = two();
    let handle = shards.server();
    drop(shards);
    assert!(matches!(handle.wait(), Err(ServerError::Cut)));
}

#[test]
fn what_an_endpoint_does_is_waited_for_as_well() {
    let shared: Rc<RefCell<Vec<Endpoint>>> = Rc::default();
    let endpoints = Rc::clone(&shared);
    let shards = Testing::new(move |router: &mut Router| {
        router.mount("/room/{name}", |endpoint| {
            endpoints.borrow_mut().push(endpoint.clone());
            Room::new(endpoint, &Shared::default())
        });
    });
    let shards = shards.start();
    let endpoint = shared.borrow()[0].clone();
    let _bob = shards.on(1).connect("/room/bob");
    assert_eq!(shards.wait_for(endpoint.count()), 1);
    // Work that does not end is not waited for once what is waited for is there.
    let never = endpoint.on_tokio(std::future::pending::<()>());
    let found = shards.wait_for(endpoint.blocking(|| "found"));
    assert_eq!(found.unwrap(), "found");
    assert_eq!(shards.now(), Duration::ZERO);
    drop(never);
    shards.wait_for(endpoint.sleep(Duration::from_secs(59)));
    assert_eq!(shards.now(), Duration::from_secs(59));
    shards.stop();
}

#[test]
fn pusher_clients_hear_each_other() {
    let shared = Shared::default();
    let mut app = app();
    app.client_events = true;
    let shards = Testing::new(routes(&shared)).app(app.clone()).start();
    let mut ann = shards.pusher(&app.key);
    let mut bob = shards.pusher(&app.key);
    assert_eq!([ann.client.shard(), bob.client.shard()], [0, 1]);
    assert_ne!(ann.socket_id(), bob.socket_id());
    assert_eq!(ann.subscribe("news"), json!({}));
    for pusher in [&mut ann, &mut bob] {
        pusher.subscribe_signed(&app, "private-room", None);
    }
    ann.send("client-typing", Some("private-room"), &json!({"key": "a"}));
    let heard = bob.expect_event("client-typing");
    assert_eq!(heard.channel.as_deref(), Some("private-room"));
    assert_eq!(heard.data, json!({"key": "a"}));
    let members = ann.subscribe_signed(&app, "presence-room", Some(&json!({"user_id": "1"})));
    assert_eq!(members["presence"]["count"], 1);
    bob.subscribe_signed(&app, "presence-room", Some(&json!({"user_id": "2"})));
    let added = ann.expect_event("pusher_internal:member_added");
    assert_eq!(added.data["user_id"], "2");
    let text = panic_of(|| ann.subscribe("no such channel"));
    assert!(text.contains("pusher:"), "{text}");
    shards.stop();
}
