//! What `listen` says to a server, and makes of what it hears there: a server that the test plays.

use super::{Listener, Run, command};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket, accept};

/// The part of a server.
struct Played {
    listener: TcpListener,
    url: String,
}

/// One client of it.
struct Guest(WebSocket<TcpStream>);

impl Played {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("--url=ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// The next client, greeted, and what it wants first.
    fn guest(&self) -> (Guest, Value) {
        let (stream, _) = self.listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut guest = Guest(accept(stream).unwrap());
        let data = json!({ "socket_id": "1.2", "activity_timeout": 1 }).to_string();
        guest.say(json!({ "event": "pusher:connection_established", "data": data }));
        let first = guest.hear();
        (guest, first)
    }
}

impl Guest {
    fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).unwrap();
    }

    fn hear(&mut self) -> Value {
        let message = self.0.read().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    fn close(mut self, code: u16) {
        let (code, reason) = (code.into(), "because".into());
        self.0.close(Some(CloseFrame { code, reason })).unwrap();
        // Until the other side has answered and gone.
        while self.0.read().is_ok() {}
    }
}

// W10, W12, W14, W21
#[test]
fn it_keeps_a_connection_alive_and_comes_back_when_told_to() {
    let server = Played::new();
    let arguments = ["listen", "a", &server.url, "--count=1"];
    let mut listener = Listener::started(command(&arguments, &[]));
    let (mut guest, wanted) = server.guest();
    let subscribe = json!({ "event": "pusher:subscribe", "data": { "channel": "a" } });
    assert_eq!(wanted, subscribe);
    guest.say(json!({ "event": "pusher:ping" }));
    assert_eq!(guest.hear()["event"], "pusher:pong");
    // After a second without a word it asks, and a word is an answer.
    for _ in 0..2 {
        assert_eq!(guest.hear()["event"], "pusher:ping");
        guest.say(json!({ "event": "pusher:pong", "data": "{}" }));
    }
    guest.close(4200);
    let lost = listener.wait_for("ws://127.0.0.1");
    let told = "closed the connection with 4200: because; trying again at once\n";
    assert!(lost.ends_with(told), "{lost}");
    let (mut guest, wanted) = server.guest();
    assert_eq!(wanted, subscribe);
    guest.say(json!({ "event": "e", "channel": "a", "data": "1" }));
    assert_eq!(listener.event(), "a  e  1");
    assert_eq!(listener.end().0, Some(0));
}

// S5: some servers refuse with one of the frames, some with the other.
#[test]
fn a_refused_subscription_ends_it_however_it_is_told() {
    let error =
        |data: Value| json!({ "event": "pusher:error", "channel": "private-a", "data": data });
    let own = json!({ "type": "LimitReached", "error": "full", "status": 4100 }).to_string();
    let own = json!({ "event": "pusher:subscription_error", "channel": "private-a", "data": own });
    for (frame, code) in [
        (error(json!({ "code": null, "message": "no" })), 78),
        (error(json!({ "code": 4009, "message": "no" })), 78),
        (own, 69),
    ] {
        let server = Played::new();
        let child = command(&["listen", "private-a", &server.url], &[])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (mut guest, wanted) = server.guest();
        let auth = wanted["data"]["auth"].as_str().unwrap();
        assert!(
            auth.starts_with("app-key:") && auth.len() == 8 + 64,
            "{auth}"
        );
        guest.say(frame);
        let ended = Run::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("cannot subscribe to private-a: "),
            "{}",
            ended.stderr
        );
    }
}

// W17: an error about something else is told, and changes nothing.
#[test]
fn what_is_not_understood_is_told_and_changes_nothing() {
    let server = Played::new();
    let mut listener = Listener::started(command(&["listen", "a", &server.url], &[]));
    let (mut guest, _) = server.guest();
    guest.say(json!({ "event": "pusher:error", "data": { "code": null, "message": "odd\u{7}" } }));
    let told = listener.wait_for("the server says: ");
    assert_eq!(told, "the server says: odd\\u{7}\n");
    guest.say(json!([7]));
    assert_eq!(
        listener.wait_for("not understood: "),
        "not understood: [7]\n"
    );
    guest.say(json!({ "event": "e", "channel": "a" }));
    assert_eq!(listener.event(), "a  e  null");
}

// W21
#[test]
fn a_server_that_greets_and_closes_again_is_left_in_peace_and_given_up() {
    let server = Played::new();
    let mut listener =
        Listener::started(command(&["listen", "a", &server.url, "--retry-s=2"], &[]));
    let mut guests = 0;
    server.listener.set_nonblocking(true).unwrap();
    let ended = loop {
        match server.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                let mut guest = Guest(accept(stream).unwrap());
                let data = json!({ "socket_id": "1.2", "activity_timeout": 9 }).to_string();
                guest.say(json!({ "event": "pusher:connection_established", "data": data }));
                guest.hear();
                let subscribed = "pusher_internal:subscription_succeeded";
                guest.say(json!({ "event": subscribed, "channel": "a", "data": "{}" }));
                guest.close(4200);
                guests += 1;
            }
            Err(_) => match listener.child.try_wait().unwrap() {
                Some(ended) => break ended,
                None => std::thread::yield_now(),
            },
        }
        assert!(guests < 10, "it comes back again and again");
    };
    assert_eq!(ended.code(), Some(69), "{}", listener.rest_of_stderr());
    assert!(guests >= 2, "at once the first time: {guests}");
}
