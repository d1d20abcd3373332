//! What passes in memory behaves so on sockets: one scenario, both ways, the same words.

use crate::room::{Shared, routes};
use crate::support::http::{Http, request};
use crate::support::server::{TestServer, config};
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUE, FIN, Incoming, PING, TEXT, Ws, close_payload, frame, handshake,
    refused,
};
use crate::support::wire::on_shard;
use shardcast::server::Server;
use shardcast::testing::{Client, Received, Shards, Testing};

/// What a scenario needs of a client.
trait Speaker {
    fn text(&mut self, text: &str);
    fn bytes(&mut self, bytes: &[u8]);
    fn fragments(&mut self, fragments: &[&str]);
    fn ping(&mut self, payload: &[u8]);
    /// The next thing that comes.
    fn hear(&mut self) -> String;
    fn close(self, code: u16);
}

/// What a scenario needs of a server of two shards.
trait Stage {
    type Speaker: Speaker;
    type Rest;
    fn speaker(&self, shard: u16, name: &str) -> Self::Speaker;
    /// Status, one field and body of an answer.
    fn ask(&self, method: &str, target: &str, body: &[u8]) -> String;
    fn refused(&self, target: &str) -> String;
    /// Asks it to stop; what is left of it ends once the clients have heard so.
    fn stop(self) -> Self::Rest;
}

/// Everything that the clients hear, in an order that does not depend on who is faster.
fn scenario<S: Stage>(stage: S) -> Vec<String> {
    let mut heard = Vec::new();
    let mut ann = stage.speaker(0, "ann");
    let mut bob = stage.speaker(1, "bob");
    ann.text("others hi");
    heard.push(bob.hear());
    ann.fragments(&["echo a", "b", "c"]);
    heard.push(ann.hear());
    bob.bytes(&[1, 2, 3]);
    heard.push(bob.hear());
    bob.ping(b"payload");
    heard.push(bob.hear());
    bob.text("big 90000");
    heard.push(bob.hear());
    heard.push(stage.ask("POST", "/room/x", b"news"));
    heard.extend([ann.hear(), bob.hear()]);
    heard.push(stage.ask("GET", "/elsewhere", b""));
    heard.push(stage.refused("/room/nobody"));
    heard.push(stage.refused("/room/x?panic-handshake"));
    let mut cat = stage.speaker(1, "cat");
    cat.text("fail-message");
    heard.extend([cat.hear(), cat.hear()]);
    let mut dan = stage.speaker(0, "dan?fail-open");
    heard.extend([dan.hear(), dan.hear()]);
    let mut eve = stage.speaker(0, "eve");
    eve.bytes(&vec![0; 100_001]);
    heard.extend([eve.hear(), eve.hear()]);
    let mut fay = stage.speaker(1, "fay");
    fay.text("close enough");
    heard.extend([fay.hear(), fay.hear()]);
    stage.speaker(0, "gus").close(4321);
    let _rest = stage.stop();
    for speaker in [&mut ann, &mut bob] {
        heard.extend((0..4).map(|_| speaker.hear()));
    }
    heard
}

#[test]
fn memory_and_sockets_say_the_same() {
    let shared = Shared::default();
    let in_memory = scenario(Testing::new(routes(&shared)).start());
    let builder = Server::builder().config(config([]));
    // On threads, each shard's handlers share with nobody else.
    let builder = builder.routes(|router| routes(&Shared::default())(router));
    let on_sockets = scenario(TestServer::build(builder));
    assert_eq!(in_memory, on_sockets);
    assert_eq!(in_memory[0], r#"text "hi""#);
    assert_eq!(in_memory.len(), 27);
}

impl Stage for Shards {
    type Speaker = Client;
    type Rest = ();

    fn speaker(&self, shard: u16, name: &str) -> Client {
        self.on(shard).connect(&format!("/room/{name}"))
    }

    fn ask(&self, method: &str, target: &str, body: &[u8]) -> String {
        let answer = self.request(method, target, &[], body);
        let kind = answer.header("content-type");
        format!("{} {kind:?} {}", answer.status, answer.text())
    }

    fn refused(&self, target: &str) -> String {
        let answer = self.handshake(target);
        let why = answer.header("x-why");
        format!("{} {why:?} {}", answer.status, answer.text())
    }

    fn stop(self) {
        Shards::stop(self);
    }
}

impl Speaker for Client {
    fn text(&mut self, text: &str) {
        self.send_text(text);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.send_binary(bytes);
    }

    fn fragments(&mut self, fragments: &[&str]) {
        self.send_fragments(fragments);
    }

    fn ping(&mut self, payload: &[u8]) {
        Client::ping(self, payload);
    }

    fn hear(&mut self) -> String {
        match self.receive().expect("something comes") {
            Received::Text(text) => format!("text {text:?}"),
            Received::Binary(bytes) => format!("{} bytes", bytes.len()),
            Received::Pong(payload) => format!("pong {payload:?}"),
            Received::Close(code, reason) => format!("close {code} {reason:?}"),
            Received::End => "end".into(),
        }
    }

    fn close(self, code: u16) {
        Client::close(self, code, "");
    }
}

impl Stage for TestServer {
    type Speaker = Ws;
    type Rest = Self;

    fn speaker(&self, shard: u16, name: &str) -> Ws {
        // A client that breaks at once cannot be asked first; then any shard does.
        if name.contains("fail") {
            return Ws::open(self.address(), &format!("/room/{name}"));
        }
        on_shard(|| {
            let mut ws = Ws::open(self.address(), &format!("/room/{name}"));
            ws.send_text("shard");
            (ws.next() == Incoming::Text(shard.to_string())).then_some(ws)
        })
    }

    fn ask(&self, method: &str, target: &str, body: &[u8]) -> String {
        let answer = Http::connect(self.address()).send(request(method, target, &[], body));
        let kind = answer.header("content-type");
        format!("{} {kind:?} {}", answer.status, answer.text())
    }

    fn refused(&self, target: &str) -> String {
        let answer = refused(self.address(), &handshake(target));
        let why = answer.header("x-why");
        format!("{} {why:?} {}", answer.status, answer.text())
    }

    fn stop(self) -> Self {
        TestServer::stop(&self);
        self
    }
}

impl Speaker for Ws {
    fn text(&mut self, text: &str) {
        self.send_text(text);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.send(frame(FIN | BINARY, bytes));
    }

    fn fragments(&mut self, fragments: &[&str]) {
        let [first, middle @ .., last] = fragments else {
            panic!("two at least");
        };
        self.send(frame(TEXT, first));
        middle
            .iter()
            .for_each(|part| self.send(frame(CONTINUE, part)));
        self.send(frame(FIN | CONTINUE, last));
    }

    fn ping(&mut self, payload: &[u8]) {
        self.send(frame(FIN | PING, payload));
    }

    fn hear(&mut self) -> String {
        match self.next() {
            Incoming::Text(text) => format!("text {text:?}"),
            Incoming::Binary(bytes) => format!("{} bytes", bytes.len()),
            Incoming::Pong(payload) => format!("pong {payload:?}"),
            Incoming::Close(Some((code, reason))) => {
                let answer = frame(FIN | CLOSE, code.to_be_bytes());
                self.wire.send_while_open(&answer);
                format!("close {code} {reason:?}")
            }
            Incoming::End => {
                self.wire.expect_end();
                "end".into()
            }
            other => panic!("{other:?} came"),
        }
    }

    fn close(mut self, code: u16) {
        self.send(frame(FIN | CLOSE, close_payload(code, "")));
        loop {
            match self.next() {
                Incoming::Close(Some((got, _))) if got == code => return self.wire.expect_end(),
                Incoming::Text(_) => {}
                other => panic!("{other:?} came"),
            }
        }
    }
}
