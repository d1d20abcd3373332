//! `GET`: channels, one channel, users; and what the API answers to what it does not know.

use crate::support::http::Http;
use crate::support::rest::Rest;
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use serde_json::json;

const COUNTS: (&str, &str) = ("info", "user_count,subscription_count");

#[test]
fn occupied_channels_of_all_shards_are_listed() {
    // Section 8.5, R13 to R15
    let server = TestServer::counting();
    let mut rest = server.rest();
    assert_eq!(rest.get_json("channels", &[]), json!({"channels": {}})); // Q26
    let [mut one, mut two] = server.pair();
    let keys = Keys::of(&app());
    let mut wanted = json!({"channels": {}});
    for n in 0..10 {
        let name = format!("c-{n}");
        one.subscribe(&name);
        if n % 2 == 0 {
            two.subscribe(&name);
        }
        wanted["channels"][name] = json!({});
    }
    for client in [&mut one, &mut two] {
        client.ask_signed(&keys, "presence-a", Some(r#"{"user_id":"u"}"#));
        client.expect_members("presence-a");
    }
    two.ask_signed(&keys, "presence-ab", Some(r#"{"user_id":"v"}"#));
    two.expect_members("presence-ab");
    assert_eq!(
        rest.get_json("channels", &[("filter_by_prefix", "c-")]),
        wanted
    );
    wanted["channels"]["presence-a"] = json!({});
    wanted["channels"]["presence-ab"] = json!({});
    assert_eq!(rest.get_json("channels", &[]), wanted);
    assert_eq!(
        rest.get_json("channels", &[("filter_by_prefix", "presence-"), COUNTS]),
        json!({"channels": {
            "presence-a": {"user_count": 1, "subscription_count": 2},
            "presence-ab": {"user_count": 1, "subscription_count": 1},
        }})
    );
    assert_eq!(
        rest.get_json(
            "channels",
            &[
                ("filter_by_prefix", "presence-ab"),
                ("info", "user_count,nope")
            ]
        ),
        json!({"channels": {"presence-ab": {"user_count": 1}}})
    );
    let listed = rest.get_json(
        "channels",
        &[("filter_by_prefix", "c-2"), ("info", "subscription_count")],
    );
    assert_eq!(
        listed,
        json!({"channels": {"c-2": {"subscription_count": 2}}})
    );
    assert_eq!(
        rest.get_json("channels", &[("filter_by_prefix", "nobody-")]),
        json!({"channels": {}}) // R14
    );
    for prefix in ["", "test_", "presence", "private-"] {
        let refused = rest.get("channels", &[("filter_by_prefix", prefix), COUNTS]);
        assert_eq!(refused.status, 400, "{prefix}"); // R13
        assert!(!refused.error().is_empty());
    }
    assert_eq!(rest.get("channels", &[("info", "user_count")]).status, 400);
}

#[test]
fn one_channel_and_its_attributes() {
    // Section 8.6
    let server = TestServer::counting();
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    let keys = Keys::of(&app());
    for name in ["a", "private-a=b@c,d.e;f_G-9", "presence-a=b@c,d.e;f_G-9"] {
        let path = format!("channels/{name}");
        assert_eq!(rest.get_json(&path, &[]), json!({"occupied": false}));
        for client in [&mut one, &mut two] {
            client.ask_signed(&keys, name, Some(r#"{"user_id":"u"}"#));
            client.expect("pusher_internal:subscription_succeeded");
        }
        assert_eq!(rest.get_json(&path, &[]), json!({"occupied": true}));
        let count = ("info", "subscription_count,nope");
        assert_eq!(
            rest.get_json(&path, &[count]),
            json!({"occupied": true, "subscription_count": 2})
        );
        // Names may be percent-encoded, and signed either way (A6).
        let encoded = path.replace('=', "%3D").replace('@', "%40");
        assert_eq!(rest.get_json(&encoded, &[]), json!({"occupied": true}));
        if name.starts_with("presence-") {
            assert_eq!(
                rest.get_json(&path, &[COUNTS]),
                json!({"occupied": true, "user_count": 1, "subscription_count": 2})
            );
        } else {
            let refused = rest.get(&path, &[COUNTS]);
            assert_eq!(refused.status, 400, "{name}");
            assert!(!refused.error().is_empty());
        }
    }
    let unknown = json!({"occupied": false, "user_count": 0, "subscription_count": 0});
    assert_eq!(
        rest.get_json("channels/presence-nobody", &[COUNTS]),
        unknown
    );
    for name in ["a%20b", "%23x", "ü", &"c".repeat(201)] {
        assert_eq!(
            rest.get(&format!("channels/{name}"), &[]).status,
            400,
            "{name}"
        );
    }
    let longest = format!("channels/{}", "c".repeat(200));
    assert_eq!(rest.get_json(&longest, &[]), json!({"occupied": false}));
}

#[test]
fn users_of_presence_channels() {
    // Section 8.7, Q27
    let server = TestServer::plain();
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    let keys = Keys::of(&app());
    let path = "channels/presence-a/users";
    assert_eq!(rest.get_json(path, &[]), json!({"users": []}));
    for (client, member) in [
        (&mut one, r#"{"user_id":7}"#),
        (&mut two, r#"{"user_id":"\"é\\"}"#),
    ] {
        client.ask_signed(&keys, "presence-a", Some(member));
        client.expect_members("presence-a");
    }
    one.expect("pusher_internal:member_added");
    let both = json!({"users": [{"id": "7"}, {"id": "\"é\\"}]});
    assert_eq!(rest.get_json(path, &[]), both);
    // R6: a parameter that means nothing here is ignored.
    assert_eq!(rest.get_json(path, &[("info", "user_count")]), both);
    one.subscribe("news");
    for name in ["news", "private-a", "nobody", "a%20b"] {
        let refused = rest.get(&format!("channels/{name}/users"), &[]);
        assert_eq!(refused.status, 400, "{name}");
        assert!(!refused.error().is_empty());
    }
}

#[test]
fn paths_and_methods_that_mean_nothing() {
    // Section 8.2, row 1: asked before anything is signed
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    for path in [
        "/apps/1001",
        "/apps/1001/",
        "/apps/1001/nope",
        "/apps/1001/events/x",
        "/apps/1001/channels/",
        "/apps/1001/channels/a/nope",
        "/apps/1001/channels/a/users/x",
        "/apps/1001/channels/%ff",
        "/apps",
        "/nope",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(http.ask(method, path, b"").status, 404, "{method} {path}");
        }
    }
    for (path, allowed) in [
        ("/apps/1001/events", "POST"),
        ("/apps/1001/batch_events", "POST"),
        ("/apps/1001/channels", "GET"),
        ("/apps/1001/channels/a", "GET"),
        ("/apps/1001/connections", "GET"),
        ("/apps/1001/channels/presence-a/users", "GET"),
        ("/apps/1001/channels/a/events", "POST"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"] {
            if method != allowed {
                let response = http.ask(method, path, b"");
                assert_eq!(response.status, 405, "{method} {path}");
                assert_eq!(response.header("allow"), Some(allowed));
                assert!(!response.error().is_empty());
            }
        }
        // The right method gets further: nothing proves who asks.
        assert_eq!(http.ask(allowed, path, b"").status, 401);
    }
    let mut rest: Rest = server.rest();
    assert_eq!(rest.get("channels", &[]).status, 200);
}

#[test]
fn a_server_without_the_demo_app_has_no_page() {
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let response = http.ask("GET", "/", b"");
    assert_eq!((response.status, response.text()), (200, "OK\n"));
    assert_eq!(http.ask("POST", "/", b"").status, 405);
}
