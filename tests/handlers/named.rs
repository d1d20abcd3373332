//! Functions by the name of an event.

use crate::support::http::Http;
use crate::support::server::{TestServer, config};
use crate::support::websocket::{BINARY, FIN, Ws, frame, handshake};
use crate::support::wire::PATIENCE;
use flume::{Receiver, bounded};
use serde::Deserialize;
use serde_json::value::RawValue;
use shardcast::handler::{Client, Close, Handshake, Named, Request, Router};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use std::cell::Cell;
use std::rc::Rc;

struct Session {
    name: String,
    said: u32,
}

#[derive(Deserialize)]
struct Say {
    text: String,
    #[serde(default)]
    loud: bool,
}

fn routes(router: &mut Router, closed: &flume::Sender<String>) {
    let closed = closed.clone();
    router.mount("/chat", |endpoint| {
        // Functions stay on their shard and may share what is not Send.
        let here = Rc::new(Cell::new(0));
        let counts = Rc::clone(&here);
        Named::session(async |request: &Request<'_>| {
            let Some(name) = request.query_param("name") else {
                return Ok(Handshake::reject(Response::text(403, "who are you?\n")));
            };
            let name = name.into_owned();
            Ok(Handshake::accept(Session { name, said: 0 }))
        })
        .on_open(async move |client: &mut Client<Session>| {
            here.set(here.get() + 1);
            Ok(client.send_text(&format!("hello {}", client.session().name))?)
        })
        .on(
            "chat.say",
            async move |client: &mut Client<Session>, say: Say| {
                client.session_mut().said += 1;
                let (name, said) = (&client.session().name, client.session().said);
                let text = if say.loud {
                    say.text.to_uppercase()
                } else {
                    say.text
                };
                endpoint.broadcast(&format!("{name} {said}: {text}"));
                Ok(())
            },
        )
        .on(
            "count",
            async move |client: &mut Client<Session>, (): ()| {
                Ok(client.send_text(&(counts.get() > 0).to_string())?)
            },
        )
        .on_raw(
            "raw",
            async |client: &mut Client<Session>, data: &RawValue| Ok(client.send_text(data.get())?),
        )
        .on("fail", async |_: &mut Client<Session>, why: String| {
            Err(why.into())
        })
        .on_close(async move |_: ClientId, session: Session, close: Close| {
            let line = format!("{} {} {}", session.name, session.said, close.code);
            closed.try_send(line).expect("the log has room");
        })
    });
    router.mount("/other", |_| {
        Named::new()
            .with_fields("type", "payload")
            .with_message_max(100)
            .on("known", async |client: &mut Client<()>, number: u8| {
                Ok(client.send_text(&number.to_string())?)
            })
    });
    router.mount("/any", |_| {
        Named::new().otherwise(
            async |client: &mut Client<()>, event: &str, data: &RawValue| match event {
                "break" => Err("broken".into()),
                _ => Ok(client.send_text(&format!("{event} {data}"))?),
            },
        )
    });
}

fn start() -> (TestServer, Receiver<String>) {
    let (closed, log) = bounded(1000);
    let builder = Server::builder()
        .config(config([]))
        .routes(move |router| routes(router, &closed));
    (TestServer::build(builder), log)
}

#[track_caller]
fn expect(ws: &mut Ws, what: &str, answer: &str) {
    ws.send_text(what);
    assert_eq!(ws.expect_text(), answer, "{what}");
}

#[test]
fn an_event_calls_its_function_with_its_data() {
    let (server, log) = start();
    let mut clients: Vec<Ws> = (0..6)
        .map(|n| Ws::open(server.address(), &format!("/chat?name=c{n}")))
        .collect();
    for (n, ws) in clients.iter_mut().enumerate() {
        assert_eq!(ws.expect_text(), format!("hello c{n}"));
        expect(ws, r#"{"event":"count"}"#, "true");
        expect(
            ws,
            r#"{"data":{"a" : [1]},"event":"raw"}"#,
            r#"{"a" : [1]}"#,
        );
    }
    clients[2].send_text(r#"{"event":"chat.say","data":{"text":"hi"}}"#);
    clients[2].send_text(r#"{"event":"chat.say","data":{"text":"hi","loud":true}}"#);
    for ws in &mut clients {
        assert_eq!(ws.expect_text(), "c2 1: hi");
        assert_eq!(ws.expect_text(), "c2 2: HI");
    }
    clients.swap_remove(2).close();
    let line = log.recv_timeout(PATIENCE).expect("it is told");
    assert_eq!(line, "c2 2 1000");
}

#[test]
fn a_session_may_be_refused() {
    let (server, _log) = start();
    let mut http = Http::connect(server.address());
    let refused = http.send(handshake("/chat"));
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body, b"who are you?\n");
}

#[test]
fn what_cannot_be_served_is_answered_and_the_connection_stays() {
    let (server, _log) = start();
    let mut ws = Ws::open(server.address(), "/chat?name=ann");
    assert_eq!(ws.expect_text(), "hello ann");
    for (what, error) in [
        ("{", r#"{"reason":"bad-json"}"#),
        ("[]", r#"{"reason":"bad-json"}"#),
        (r#"{"event":7}"#, r#"{"reason":"bad-json"}"#),
        (
            r#"{"event":"who"}"#,
            r#"{"reason":"unknown-event","event":"who"}"#,
        ),
        (
            r#"{"event":"chat.say","data":{"loud":true}}"#,
            concat!(
                r#"{"reason":"bad-data","event":"chat.say","#,
                r#""message":"missing field `text` at line 1 column 13"}"#
            ),
        ),
        (
            r#"{"event":"chat.say"}"#,
            concat!(
                r#"{"reason":"bad-data","event":"chat.say","#,
                r#""message":"invalid type: null, expected struct Say at line 1 column 4"}"#
            ),
        ),
    ] {
        expect(
            &mut ws,
            what,
            &format!(r#"{{"event":"error","data":{error}}}"#),
        );
    }
    ws.send(frame(FIN | BINARY, r#"{"event":"count"}"#));
    assert_eq!(
        ws.expect_text(),
        r#"{"event":"error","data":{"reason":"not-text"}}"#
    );
    expect(&mut ws, r#"{"event":"count"}"#, "true");
    ws.send_text(r#"{"event":"fail","data":"enough"}"#);
    ws.expect_close(1011);
}

#[test]
fn fields_may_have_other_names_and_messages_another_limit() {
    let (server, _log) = start();
    let mut ws = Ws::open(server.address(), "/other");
    expect(&mut ws, r#"{"type":"known","payload":7}"#, "7");
    let unknown = r#"{"type":"error","payload":{"reason":"unknown-event","event":"x"}}"#;
    expect(&mut ws, r#"{"type":"x","event":"known"}"#, unknown);
    let message = |bytes: usize| {
        let around = r#"{"type":"known","payload":7,"x":""}"#.len();
        format!(
            r#"{{"type":"known","payload":7,"x":"{}"}}"#,
            "x".repeat(bytes - around)
        )
    };
    expect(&mut ws, &message(100), "7");
    ws.send_text(message(101));
    ws.expect_close(1009);
}

#[test]
fn events_without_a_function_may_have_one_for_all() {
    let (server, _log) = start();
    let mut ws = Ws::open(server.address(), "/any");
    expect(&mut ws, r#"{"event":"a","data":{}}"#, "a {}");
    expect(&mut ws, r#"{"event":"b"}"#, "b null");
    ws.send_text(r#"{"event":"break"}"#);
    ws.expect_close(1011);
}
