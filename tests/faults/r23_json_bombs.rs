//! R23: JSON that is deep, wide, huge, doubled or not what it should be.

use crate::scene::row;
use crate::support::http::Response;
use crate::support::pusher::Event;
use crate::support::rest::Rest;
use crate::support::websocket::{Incoming, text};

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// Messages to which there is an answer, or none, but no end of the connection.
fn frames() -> Vec<String> {
    let many_keys: Vec<String> = (0..4_000).map(|n| format!("\"k{n}\":1")).collect();
    let ping = |data: &str| format!(r#"{{"event":"pusher:ping","data":{data}}}"#);
    let subscribe = |data: &str| format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#);
    let mut all = vec![
        nested(20_000),
        "[".repeat(60_000),
        "{\"a\":".repeat(10_000),
        format!("{{{}}}", many_keys.join(",")),
        "1".repeat(60_000),
        "-".to_owned(),
        "1e999999999".to_owned(),
        "\"".to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        " ".repeat(1_000),
        r#"{"event":1}"#.to_owned(),
        r#"{"event":null,"data":{}}"#.to_owned(),
        r#"{"event":"\ud800"}"#.to_owned(),
        r#"{"event":"pusher:ping""#.to_owned(),
        r#"{"event":"pusher:ping"}}"#.to_owned(),
        r#"{"event":"pusher:ping","event":"pusher:subscribe"}"#.to_owned(),
        r#"{"event":"pusher:subscribe"}"#.to_owned(),
    ];
    let data = [
        nested(200),
        nested(20_000),
        "\"\\udc00\"".into(),
        "1e400".into(),
        "\"{\"".into(),
    ];
    all.extend(data.iter().flat_map(|data| [ping(data), subscribe(data)]));
    for data in [
        "1",
        "null",
        "[]",
        "{}",
        r#"{"channel":1}"#,
        r#"{"channel":{"a":[]}}"#,
    ] {
        all.push(subscribe(data));
    }
    all
}

/// Bodies that are no event; each is refused.
fn bodies() -> Vec<String> {
    let deep = format!(r#"{{"name":"e","channel":"a","data":{}}}"#, nested(100));
    let deeper = format!(r#"{{"name":"e","channel":"a","data":{}}}"#, nested(9_000));
    let texts = [
        "{",
        "",
        "[]",
        "1",
        "null",
        "\"\"",
        "{}",
        r#"{"name":1,"channel":"a","data":"x"}"#,
        r#"{"name":"e","channel":[],"data":"x"}"#,
        r#"{"name":"e","channels":"a","data":"x"}"#,
        r#"{"name":"e","channels":[1],"data":"x"}"#,
        r#"{"name":"\ud800","channel":"a","data":"x"}"#,
        r#"{"name":"e","channel":"a"}"#,
        r#"{"name":"e","channel":"a","data":"x"}}"#,
    ];
    let mut all: Vec<String> = texts.map(String::from).into();
    all.extend([deep, deeper, "[".repeat(9_000), "{\"a\":".repeat(2_000)]);
    all
}

fn post(rest: &mut Rest, body: &str) -> Response {
    let path = "/apps/1001/events";
    let target = rest.keys.target("POST", path, &[], body.as_bytes());
    rest.http.ask("POST", &target, body.as_bytes())
}

#[test]
fn r23_json_of_every_bad_kind_is_answered_and_harms_nobody() {
    row("r23").run(|scene| {
        for bad in frames() {
            // Which faults have an answer is the protocol's matter; that it goes on is this one's.
            let mut client = scene.client();
            let shown = &bad[..bad.len().min(60)];
            client.ws.send(text(&bad));
            client.ws.send(text(r#"{"event":"pusher:ping"}"#));
            loop {
                match client.ws.next() {
                    Incoming::Text(text) => {
                        let event = Event::parse(&text);
                        if event.name == "pusher:pong" {
                            break;
                        }
                        let fault = ["pusher:error", "pusher:subscription_error"];
                        assert!(fault.contains(&event.name.as_str()), "{shown}: {event:?}");
                    }
                    other => panic!("{shown}: {other:?}"),
                }
            }
        }
        for bad in bodies() {
            let shown = &bad[..bad.len().min(60)];
            let response = post(&mut scene.backend(), &bad);
            assert!(
                matches!(response.status, 400 | 401 | 413),
                "{shown}: {response:?}"
            );
            assert!(!response.error().is_empty(), "{shown}");
        }
        // Where keys are doubled, or data is not a string, there is one reading of it for all.
        let mut listener = scene.client();
        listener.subscribe("a");
        let mut rest = scene.backend();
        let doubled = r#"{"name":"e","channel":"b","channel":"a","data":"x","data":"y"}"#;
        let response = post(&mut rest, doubled);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(listener.expect("e").text(), "y");
        let object = r#"{"name":"e","channel":"a","data":{"n":1}}"#;
        let response = post(&mut rest, object);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(listener.expect("e").text(), r#"{"n":1}"#);
        rest.trigger("a", "mark", "");
        listener.expect("mark");
    });
}
