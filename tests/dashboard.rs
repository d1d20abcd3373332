//! The dashboard over HTTP: what its page is told, what it can do, and who may do it. The page
//! itself is tried in a browser: tests/clients/dashboard.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "dashboard/access.rs"]
mod access;
#[path = "dashboard/bounds.rs"]
mod bounds;
mod support;

use serde_json::{Value, json};
use shardcast::limits::ADMIN_BODY_MAX;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Instant;
use support::http::{Http, Response, request};
use support::metrics::{get, get_with};
use support::server::{TestServer, app};
use support::sign::Keys;
use support::wire::{PATIENCE, Wire};

const JSON: &str = "Content-Type: application/json";

fn admin(server: &TestServer) -> SocketAddr {
    let address = server.handle().admin_addr().expect("it has an admin port");
    SocketAddr::new("127.0.0.1".parse().unwrap(), address.port())
}

fn post(admin: SocketAddr, path: &str, fields: &[&str], body: &Value) -> Response {
    let body = body.to_string();
    Http::connect(admin).send(request("POST", path, fields, body.as_bytes()))
}

/// What a page of the dashboard asks, until the answer is as wanted.
#[track_caller]
fn expect_soon(admin: SocketAddr, path: &str, is_good: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let response = get(admin, path);
        let last = response.text().to_owned();
        if response.status == 200 && is_good(&response.json()) {
            return response.json();
        }
        assert!(start.elapsed() < PATIENCE, "{path} stays {last}");
    }
}

/// A page that is open.
struct Page(Wire);

impl Page {
    fn open(admin: SocketAddr, fields: &[&str]) -> Self {
        expect_known(admin, fields);
        Self::on(admin, fields)
    }

    /// Same, when the app is known.
    fn on(admin: SocketAddr, fields: &[&str]) -> Self {
        let mut wire = Wire::connect(admin);
        let path = "/dashboard/api/stream?app=1001";
        wire.send(request("GET", path, fields, b""));
        let head = String::from_utf8(wire.take_to(b"\r\n\r\n")).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.contains("Content-Type: text/event-stream\r\n"),
            "{head}"
        );
        Self(wire)
    }

    /// Reads what was sent, and says whether the stream ends then.
    fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        let stream = self.0.stream();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (&*stream).read_to_end(&mut rest).is_ok()
    }

    /// The next event of this name.
    fn next(&mut self, name: &str) -> Value {
        let begin = format!("event: {name}\ndata: ");
        loop {
            let event = String::from_utf8(self.0.take_to(b"\n\n")).unwrap();
            if let Some(data) = event.strip_prefix(&begin) {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// Rows until the one that is wanted, that one the last.
    fn rows_until(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (mut rows, start) = (Vec::new(), Instant::now());
        while !rows.iter().any(&is_wanted) {
            assert!(start.elapsed() < PATIENCE, "it does not come: {rows:?}");
            let event = self.next("rows");
            rows.extend(event["rows"].as_array().unwrap().iter().cloned());
        }
        rows
    }

    /// Until the shards note down what happens: they begin when they are asked.
    fn expect_watched(&mut self, server: &TestServer) {
        for shard in 0..2 {
            let mut client = server.client_on(shard);
            let id = client.socket_id.clone();
            let start = Instant::now();
            loop {
                assert!(
                    start.elapsed() < PATIENCE,
                    "shard {shard} notes nothing down"
                );
                client.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "probe"}}));
                client.expect_quiet();
                // A sample comes every second, so this does not wait for what does not come.
                let event = String::from_utf8(self.0.take_to(b"\n\n")).unwrap();
                if event.starts_with("event: rows\n") && event.contains(&id) {
                    break;
                }
            }
        }
    }
}

/// The first sample is taken as the server starts.
fn expect_known(admin: SocketAddr, fields: &[&str]) {
    let start = Instant::now();
    loop {
        let state = get_with(admin, "/dashboard/api/state", fields).json();
        if state["apps"] == json!(["1001"]) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "the app stays unknown: {state}");
    }
}

#[test]
fn the_page_is_in_the_binary_and_trusts_nothing_else() {
    let server = TestServer::plain();
    let admin = admin(&server);
    for (path, kind) in [
        ("/dashboard", "text/html; charset=utf-8"),
        ("/dashboard/app.js", "text/javascript; charset=utf-8"),
        ("/dashboard/charts.js", "text/javascript; charset=utf-8"),
        ("/dashboard/style.css", "text/css; charset=utf-8"),
        ("/dashboard/api/state", "application/json"),
    ] {
        let response = get(admin, path);
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some(kind)),
            "{path}"
        );
        let policy = response.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; "),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
    let response = get(admin, "/dashboard/");
    assert_eq!(
        (response.status, response.header("location")),
        (308, Some("../dashboard"))
    );
    for path in ["/dashboard/nope", "/dashboard/api/nope", "/dashboardx"] {
        assert_eq!(get(admin, path).status, 404, "{path}");
    }
    let response = post(admin, "/dashboard", &[JSON], &json!({}));
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let response = get(admin, "/dashboard/api/event");
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("POST"))
    );
    // It is not on the port that clients have.
    let response = Http::connect(server.address()).ask("GET", "/dashboard", b"");
    assert_eq!(response.status, 404);
}

#[test]
fn a_page_that_is_opened_sees_what_was_before() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let mut client = server.client();
    client.subscribe("c");
    let path = "/dashboard/api/history?app=1001";
    let hour = expect_soon(admin, path, |hour| {
        let last = |name: &str| hour[name].as_array().and_then(|all| all.last().cloned());
        last("connections") == Some(json!(1)) && last("channels") == Some(json!(1))
    });
    let lengths: Vec<usize> = ["connections", "channels", "read", "sent"]
        .map(|name| hour[name].as_array().unwrap().len())
        .into();
    assert!(
        lengths.iter().all(|length| *length == lengths[0]),
        "{lengths:?}"
    );
    assert_eq!(get(admin, "/dashboard/api/history?app=nope").status, 404);
    let mut page = Page::open(admin, &[]);
    let sample = page.next("sample");
    assert_eq!(sample["app"]["connections"], 1);
    let shards = sample["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    for shard in shards {
        assert_eq!(shard["up"], true);
        let busy = shard["busy"].as_f64().unwrap_or(0.0);
        assert!((0.0..=1.0).contains(&busy), "{busy}");
    }
    let here: u64 = shards
        .iter()
        .map(|it| it["connections"].as_u64().unwrap())
        .sum();
    assert_eq!(here, 1);
}

#[test]
fn channels_are_listed_with_who_is_in_them() {
    let server = TestServer::plain();
    let admin = admin(&server);
    expect_known(admin, &[]);
    let [mut first, mut second] = server.pair();
    first.subscribe("public");
    second.subscribe("public");
    second.subscribe("other");
    // What users make up about themselves comes as text.
    let member = r#"{"user_id":"<b>ann</b>","user_info":{"name":"<script>alert(1)</script>"}}"#;
    let keys = Keys::of(&app());
    let token = keys.token(&first.socket_id, "presence-room", Some(member));
    first.ask_with("presence-room", &token, Some(member));
    first.expect("pusher_internal:subscription_succeeded");
    let path = "/dashboard/api/channels?app=1001";
    let list = expect_soon(admin, path, |list| {
        list["found"] == 3 && list["channels"][0]["subscriptions"] == 2
    });
    let expected = json!([
        {"name": "public", "subscriptions": 2, "users": 0},
        {"name": "other", "subscriptions": 1, "users": 0},
        {"name": "presence-room", "subscriptions": 1, "users": 1},
    ]);
    assert_eq!(
        (&list["channels"], &list["more"]),
        (&expected, &json!(false))
    );
    let list = get(admin, &format!("{path}&prefix=presence-")).json();
    assert_eq!(list["channels"].as_array().unwrap().len(), 1);
    let room = get(admin, "/dashboard/api/channel?app=1001&name=presence-room").json();
    let info = r#"{"name":"<script>alert(1)</script>"}"#;
    assert_eq!(room["members"], json!([{"id": "<b>ann</b>", "info": info}]));
    assert_eq!(
        room["subscribers"],
        json!([{
            "socket_id": first.socket_id, "user_id": "<b>ann</b>", "shard": 0,
        }])
    );
    let public = get(admin, "/dashboard/api/channel?app=1001&name=public").json();
    assert_eq!(public["subscriptions"], 2);
    let mut ids: Vec<&str> = public["subscribers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["socket_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let mut expected = [&*first.socket_id, &*second.socket_id];
    expected.sort_unstable();
    assert_eq!(ids, expected, "of both shards");
    let response = get(admin, "/dashboard/api/channel?app=1001&name=%3Cscript%3E");
    assert_eq!(response.status, 400);
    let empty = get(admin, "/dashboard/api/channel?app=1001&name=nobody").json();
    assert_eq!(
        (&empty["subscriptions"], &empty["subscribers"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(get(admin, "/dashboard/api/channels?app=nope").status, 404);
}

#[test]
fn events_are_sent_and_what_is_wrong_with_them_is_told() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let path = "/dashboard/api/event";
    for mut client in server.pair() {
        client.subscribe("c");
        let event = json!({"app": "1001", "channel": "c", "event": "e", "data": "{\"a\":1}"});
        assert_eq!(post(admin, path, &[JSON], &event).status, 200);
        assert_eq!(client.expect("e").text(), "{\"a\":1}");
    }
    let refused = |change: Value| {
        let mut event = json!({"app": "1001", "channel": "c", "event": "e", "data": ""});
        for (key, value) in change.as_object().unwrap() {
            event[key] = value.clone();
        }
        let response = post(admin, path, &[JSON], &event);
        (response.status, response.error())
    };
    assert_eq!(refused(json!({"app": "nope"})), (404, "Unknown app".into()));
    assert_eq!(refused(json!({"channel": "a b"})).0, 400);
    assert_eq!(refused(json!({"event": "x".repeat(500)})).0, 400);
    assert_eq!(refused(json!({"data": "x".repeat(20_000)})).0, 413);
    assert_eq!(refused(json!({"nonsense": 1})).0, 400);
    let response = Http::connect(admin).send(request("POST", path, &[JSON], b"{"));
    assert_eq!(response.status, 400);
    // The body as long as it may be, and one byte longer.
    for (length, status) in [(ADMIN_BODY_MAX, 400), (ADMIN_BODY_MAX + 1, 413)] {
        let body = vec![b' '; length as usize];
        let response = Http::connect(admin).send(request("POST", path, &[JSON], &body));
        assert_eq!(response.status, status, "{length}");
    }
}

#[test]
fn clients_and_users_are_disconnected() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let path = "/dashboard/api/disconnect";
    let [mut first, mut second] = server.pair();
    let id = first.socket_id.clone();
    let body = json!({"app": "1001", "socket_id": id});
    assert_eq!(post(admin, path, &[JSON], &body).status, 200);
    first.expect_closed(4009);
    second.expect_quiet();
    let start = Instant::now();
    while post(admin, path, &[JSON], &body).status != 404 {
        assert!(start.elapsed() < PATIENCE, "it stays");
    }
    // A shard that there is none of, and what is no id at all.
    for (id, status) in [("1023.5", 404), ("1.2.3", 400), ("x", 400)] {
        let body = json!({"app": "1001", "socket_id": id});
        assert_eq!(post(admin, path, &[JSON], &body).status, status, "{id}");
    }
    let user_data = r#"{"id":"ann"}"#;
    let auth = Keys::of(&app()).user_token(&second.socket_id, user_data);
    second.send(&json!({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}}));
    second.expect("pusher:signin_success");
    let body = json!({"app": "1001", "user_id": "ann"});
    assert_eq!(post(admin, path, &[JSON], &body).status, 200);
    second.expect_closed(4009);
    // Presence members need not have signed in.
    let mut member = server.client();
    member.join(
        &Keys::of(&app()),
        "presence-room",
        &json!({"user_id": "ben"}),
    );
    let body = json!({"app": "1001", "user_id": "ben"});
    let response = post(admin, path, &[JSON], &body);
    assert_eq!(
        (response.status, response.text()),
        (200, r#"{"connections":1}"#)
    );
    member.expect_closed(4009);
    let body = json!({"app": "1001", "user_id": "nobody"});
    assert_eq!(post(admin, path, &[JSON], &body).status, 404);
    for body in [
        json!({"app": "1001"}),
        json!({"app": "1001", "user_id": ""}),
        json!({"app": "1001", "user_id": "a", "socket_id": "1.2"}),
    ] {
        assert_eq!(post(admin, path, &[JSON], &body).status, 400, "{body}");
    }
}

#[test]
fn what_happens_is_told_while_a_page_is_open() {
    let server = TestServer::plain();
    let mut page = Page::open(admin(&server), &[]);
    page.expect_watched(&server);
    let mut client = server.client();
    let keys = Keys::of(&app());
    client.subscribe_signed(&keys, "private-a");
    let token = keys.token(&client.socket_id, "private-a", None);
    client.send(&json!({"event": "client-e", "channel": "private-a", "data": "<script>"}));
    client.ask_with("private-b", "app-key:nonsense", None);
    client.expect("pusher:subscription_error");
    client.expect("pusher:error");
    let body = json!({"name": "e", "channel": "private-a", "data": "from the backend"});
    server.rest().publish(&body);
    client.expect("e");
    client.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "private-a"}}));
    client.expect_quiet();
    let id = client.socket_id.clone();
    client.ws.close();
    let rows = page.rows_until(|row| row["kind"] == "disconnected" && row["socket_id"] == *id);
    let mine: Vec<_> = rows.iter().filter(|row| row["socket_id"] == *id).collect();
    let kinds: Vec<_> = mine
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    let expected = [
        "connected",
        "subscribed",
        "client-event",
        "refused",
        "unsubscribed",
        "disconnected",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        (&mine[1]["channel"], &mine[1]["text"]),
        (&json!("private-a"), &json!(""))
    );
    assert_eq!(
        (&mine[2]["event"], &mine[2]["text"]),
        (&json!("client-e"), &json!("<script>"))
    );
    assert_eq!(
        (&mine[3]["channel"], &mine[3]["text"]),
        (&json!("private-b"), &json!("subscription"))
    );
    assert_eq!(
        (&mine[5]["text"], &mine[5]["socket_id"]),
        (&json!("1000"), &json!(id))
    );
    let of_backend = rows.iter().find(|row| row["kind"] == "api-event").unwrap();
    assert_eq!(
        (&of_backend["channel"], &of_backend["text"]),
        (&json!("private-a"), &json!("from the backend"))
    );
    // Signatures are nobody's business.
    let all = json!(rows).to_string();
    let signature = token.split_once(':').unwrap().1;
    assert!(
        !all.contains(signature) && !all.contains("nonsense"),
        "{all}"
    );
}

#[test]
fn a_flood_is_sampled_and_it_is_told_how_much_was_skipped() {
    let server = TestServer::plain();
    let mut page = Page::open(admin(&server), &[]);
    page.expect_watched(&server);
    const EVENTS: usize = 100;
    let mut rest = server.rest();
    for n in 0..EVENTS {
        rest.trigger("c", "e", &n.to_string());
    }
    let (mut seen, mut skipped) = (0, 0);
    while seen + skipped < EVENTS {
        let event = page.next("rows");
        let rows = event["rows"].as_array().unwrap();
        seen += rows.iter().filter(|row| row["kind"] == "api-event").count();
        skipped += event["skipped"].as_u64().unwrap() as usize;
    }
    assert_eq!(seen + skipped, EVENTS);
    assert!(skipped > 0 && seen >= 10, "{seen} seen");
}
