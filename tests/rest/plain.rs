//! Events without a JSON body: in the query (R12), and at the oldest endpoint (section 8.9).

use crate::support::http::{Http, Response};
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use serde_json::json;

fn post(http: &mut Http, path: &str, parameters: &[(&str, &str)], body: &[u8]) -> Response {
    let target = Keys::of(&app()).target("POST", path, parameters, body);
    http.ask("POST", &target, body)
}

#[test]
fn an_event_may_stand_in_the_query() {
    // R12
    let server = TestServer::counting();
    let mut http = Http::connect(server.address());
    let [mut one, mut two] = server.pair();
    for client in [&mut one, &mut two] {
        client.subscribe("a");
        client.subscribe("b");
    }
    let mut publish = |parameters: &[(&str, &str)]| {
        let response = post(&mut http, "/apps/1001/events", parameters, b"");
        (response.status, response.json())
    };
    let both = [
        ("channels[]", "a"),
        ("channels[]", "b"),
        ("name", "é"),
        ("data", "1+1=2 &"),
    ];
    assert_eq!(publish(&both), (200, json!({})));
    for client in [&mut one, &mut two] {
        let got = [client.next(), client.next()];
        assert!(
            got.iter()
                .all(|event| event.name == "é" && event.text() == "1+1=2 &")
        );
        assert!(got[0].channel() != got[1].channel());
    }
    let counted = [
        ("channel", "a"),
        ("name", "e"),
        ("data", "d"),
        ("socket_id", &one.socket_id),
        ("info", "subscription_count"),
    ];
    let answer = json!({"channels": {"a": {"subscription_count": 2}}});
    assert_eq!(publish(&counted), (200, answer));
    two.expect("e");
    for missing in ["name", "channel", "data"] {
        let others = counted.iter().filter(|(name, _)| *name != missing);
        let some: Vec<(&str, &str)> = others.copied().collect();
        assert_eq!(publish(&some).0, 400, "without {missing}");
    }
    assert_eq!(publish(&[]).0, 400);
    let large = "d".repeat(3000);
    assert_eq!(
        publish(&[("channel", "a b"), ("name", "e"), ("data", &large)]).0,
        400
    );
    one.expect_quiet();
    two.expect_quiet();
}

#[test]
fn a_body_is_read_and_the_query_is_not() {
    // R6: with a body, these are parameters that nobody knows.
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let mut client = server.client();
    client.subscribe("a");
    let body = br#"{"name":"body","channel":"a","data":"d"}"#;
    let parameters = [("name", "query"), ("channel", "b"), ("data", "x")];
    assert_eq!(
        post(&mut http, "/apps/1001/events", &parameters, body).status,
        200
    );
    assert_eq!(client.next().name, "body");
    let unfit = post(&mut http, "/apps/1001/events", &parameters, b"[]");
    assert_eq!(unfit.status, 400);
}

#[test]
fn the_oldest_endpoint_takes_the_body_as_the_data() {
    // Section 8.9
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let [mut one, mut two] = server.pair();
    for client in [&mut one, &mut two] {
        client.subscribe("a=b");
    }
    let named = ("name", "e");
    for (path, parameters, body) in [
        (
            "/apps/1001/channels/a=b/events",
            vec![named],
            &br#"{"id":5}"#[..],
        ),
        (
            "/apps/1001/channels/a%3Db/events",
            vec![named],
            b"\"\\\n\x01 text",
        ),
        ("/apps/1001/channels/a=b/events", vec![named], b""),
        (
            "/apps/1001/channels/a=b/events",
            vec![named, ("socket_id", "")],
            "é".as_bytes(),
        ),
    ] {
        let response = post(&mut http, path, &parameters, body);
        assert_eq!((response.status, response.json()), (202, json!({})));
        for client in [&mut one, &mut two] {
            let event = client.expect("e");
            assert_eq!((event.channel(), event.text().as_bytes()), ("a=b", body));
        }
    }
    let but_one = [named, ("socket_id", &one.socket_id)];
    assert_eq!(
        post(&mut http, "/apps/1001/channels/a=b/events", &but_one, b"d").status,
        202
    );
    two.expect("e");
    one.expect_quiet();
    two.expect_quiet();
}

#[test]
fn a_plus_in_the_query_is_what_its_signer_reads() {
    // A5: itself first, a space only where nothing else verifies
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let mut client = server.client();
    client.subscribe("a");
    let keys = Keys::of(&app());
    for (path, parameters) in [
        ("/apps/1001/channels/a/events", &[][..]),
        ("/apps/1001/events", &[("channel", "a"), ("data", "d")]),
    ] {
        for name in ["c+1", "c 1"] {
            let mut parameters = parameters.to_vec();
            parameters.push(("name", name));
            let body = if parameters.len() == 1 {
                &b"d"[..]
            } else {
                b""
            };
            let target = keys.target("POST", path, &parameters, body);
            let sent = target.replace("c%2B1", "c+1").replace("c%201", "c+1");
            assert!(sent.contains("name=c+1"), "{sent}");
            assert!(http.ask("POST", &sent, body).status < 300);
            assert_eq!(client.next().name, name, "{path}");
        }
    }
}

#[test]
fn the_oldest_endpoint_refuses_what_the_others_refuse() {
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let path = "/apps/1001/channels/a/events";
    let named = [("name", "e")];
    let most = vec![b'd'; 10_240];
    let past = vec![b'd'; 10_241];
    assert_eq!(post(&mut http, path, &named, &most).status, 202);
    for (path, parameters, body, status) in [
        (path, &named[..], &past[..], 413),
        (path, &[], b"d", 400),
        (path, &[("name", "")], b"d", 400),
        (path, &[("name", "e"), ("socket_id", "x")], b"d", 400),
        (path, &named, b"\xff", 400),
        ("/apps/1001/channels/a%20b/events", &named, b"d", 400),
        ("/apps/nobody/channels/a/events", &named, b"d", 404),
    ] {
        let response = post(&mut http, path, parameters, body);
        assert_eq!(response.status, status, "{path} {parameters:?}");
        assert!(!response.error().is_empty());
    }
    assert_eq!(
        http.ask("POST", &format!("{path}?name=e"), b"d").status,
        401
    );
    let got = http.ask("GET", path, b"");
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
}

#[test]
fn a_list_in_php_is_a_list() {
    // A11: signed joined, sent apart; the attributes are answered.
    let server = TestServer::counting();
    let keys = Keys::of(&app());
    let joined = keys.target(
        "GET",
        "/apps/1001/channels/presence-a",
        &[("info", "user_count,subscription_count")],
        b"",
    );
    let apart = "info%5B0%5D=user_count&info%5B1%5D=subscription_count";
    let sent = joined.replace("info=user%5Fcount%2Csubscription%5Fcount", apart);
    assert_ne!(sent, joined);
    let mut http = Http::connect(server.address());
    let answer = json!({"occupied": false, "user_count": 0, "subscription_count": 0});
    for target in [joined, sent] {
        let response = http.ask("GET", &target, b"");
        assert_eq!((response.status, response.json()), (200, answer.clone()));
    }
}
