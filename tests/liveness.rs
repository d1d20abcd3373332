//! Liveness over minutes (W10 to W16): the clockwork, decoder and hub of a connection in virtual
//! time, with the waits that a server has by default; and over real sockets with shorter ones.

mod support;

use shardcast::app::App;
use shardcast::conn::{Life, Overdue, Stage, Timing};
use shardcast::hub::{AppTable, Effect, Hub, Note, Options, Relay};
use shardcast::id::{AppSlot, ClientId, ShardId, SocketId};
use shardcast::protocol::Parser;
use shardcast::server::config::Config;
use shardcast::ws::{Decoder, Received};
use std::rc::Rc;
use std::thread;
use support::pusher::Client;
use support::server::{TestServer, app, config};
use support::websocket::{FIN, Incoming, PING, PONG, TEXT, frame};

const MINUTE_MS: u64 = 60_000;
const APP: AppSlot = AppSlot(0);

/// How long a peer takes to answer.
const ANSWER_MS: u64 = 50;

/// One connection of an app with the defaults.
struct Line {
    life: Life,
    timing: Timing,
    decoder: Decoder,
    now_ms: u64,
    /// When the server sent control pings.
    pinged_ms: Vec<u64>,
    /// When it gave the peer up.
    given_up_ms: Option<u64>,
    /// Whether the peer's WebSocket library answers control pings, as they all do.
    answers: bool,
}

impl Line {
    fn new(answers: bool) -> Self {
        let config = Config::default();
        let told_ms = u64::from(App::new("1", "key", "secret").activity_timeout_s) * 1000;
        let mut life = Life::new(0);
        life.set_idle(told_ms + config.activity_grace_ms);
        life.enter(Stage::Open, 0);
        Self {
            life,
            timing: Timing {
                agree_ms: config.head_timeout_ms,
                head_ms: config.head_timeout_ms,
                body_ms: config.body_timeout_ms,
                keep_alive_ms: config.keep_alive_ms,
                pong_ms: config.pong_wait_ms,
                close_ms: 5_000,
                stall_ms: config.write_stall_ms,
            },
            decoder: Decoder::new(config.message_bytes),
            now_ms: 0,
            pinged_ms: Vec::new(),
            given_up_ms: None,
            answers,
        }
    }

    /// Time goes on; whatever is due is done when it is due.
    fn go_on(&mut self, to_ms: u64) {
        while self.life.due_ms(&self.timing) <= to_ms && self.given_up_ms.is_none() {
            self.now_ms = self.life.due_ms(&self.timing);
            match self.life.expire(self.now_ms, &self.timing) {
                Some(Overdue::Ping) => {
                    self.pinged_ms.push(self.now_ms);
                    if self.answers {
                        self.now_ms += ANSWER_MS;
                        self.hears(frame(FIN | PONG, ""));
                    }
                }
                Some(Overdue::Pong) => self.given_up_ms = Some(self.now_ms),
                other => panic!("{other:?} at {} ms", self.now_ms),
            }
        }
        self.now_ms = to_ms;
    }

    /// The peer sends a control frame.
    fn hears(&mut self, mut bytes: Vec<u8>) {
        self.life.heard(self.now_ms);
        let mut bytes = bytes.as_mut_slice();
        let received = self.decoder.next(&mut bytes).expect("a sound frame");
        assert!(matches!(received, Some(Received::Ping(_) | Received::Pong)));
    }
}

/// A hub with one open client.
struct Desk {
    hub: Hub,
    parser: Parser,
    client: ClientId,
    effects: Vec<Effect>,
}

impl Desk {
    fn new() -> Self {
        let apps = Rc::new(AppTable::new([App::new("1", "key", "secret")]));
        let mut hub = Hub::new(Options::new(ShardId(0), 1, [1, 2]), apps);
        let client = ClientId::new(ShardId(0), 0, 0);
        hub.open(
            client,
            APP,
            SocketId::new(ShardId(0), 1, 1),
            false,
            &mut Vec::new(),
        );
        Self {
            hub,
            parser: Parser::default(),
            client,
            effects: Vec::new(),
        }
    }

    /// Time comes; the hub has nothing to say about that.
    fn tick(&mut self, now_ms: u64) {
        self.hub.tick(now_ms, &mut self.effects);
        assert!(self.effects.is_empty(), "{:?} at {now_ms} ms", self.effects);
    }

    /// The client says something; gives how many frames it is sent.
    fn says(&mut self, text: &str, now_ms: u64) -> usize {
        let mut bytes = text.as_bytes().to_vec();
        let command = self.parser.parse(&mut bytes);
        self.hub
            .command(self.client, command, now_ms, |_| true, &mut self.effects);
        self.carry_out()
    }

    /// One event for a channel; gives how many frames the client is sent.
    fn publish(&mut self, channel: &str) -> usize {
        let relay = Relay {
            app: APP,
            channel,
            event: "e",
            data: "d",
            user_id: None,
            except: None,
        };
        self.hub.publish(relay, &mut self.effects);
        self.carry_out()
    }

    fn carry_out(&mut self) -> usize {
        let mut frames = 0;
        while !self.effects.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            for effect in effects {
                match effect {
                    Effect::Send { .. } => frames += 1,
                    Effect::Fanout { channel, .. } => frames += self.hub.subscribers(channel).len(),
                    Effect::Post { note, .. } => {
                        let note: Note = note;
                        self.hub.receive(ShardId(0), note, &mut self.effects);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        frames
    }
}

#[test]
fn a_client_that_only_answers_control_pings_survives_ten_minutes_of_silence() {
    // W14, W15: Java, which answers no `pusher:ping`
    let (mut java, mut desk) = (Line::new(true), Desk::new());
    for now_ms in (0..=10 * MINUTE_MS).step_by(250) {
        java.go_on(now_ms);
        desk.tick(now_ms); // never `pusher:ping`
    }
    assert_eq!(java.given_up_ms, None);
    assert_eq!(java.pinged_ms, [150_000, 300_050, 450_100]);
    // One that answers nothing is given up after half a minute, and not before.
    let mut gone = Line::new(false);
    gone.go_on(10 * MINUTE_MS);
    assert_eq!(
        (gone.pinged_ms, gone.given_up_ms),
        (vec![150_000], Some(180_000))
    );
}

#[test]
fn a_client_that_asks_itself_is_never_asked() {
    // W10, W12: pusher-js, after as much silence as it was told
    let (mut line, mut desk) = (Line::new(false), Desk::new());
    for minute in 1..=30 {
        let now_ms = minute * 2 * MINUTE_MS;
        line.go_on(now_ms);
        line.life.heard(now_ms);
        assert_eq!(desk.says(r#"{"event":"pusher:ping","data":{}}"#, now_ms), 1);
    }
    assert!(line.pinged_ms.is_empty() && line.given_up_ms.is_none());
}

#[test]
fn a_busy_listener_says_nothing_for_five_minutes_and_survives() {
    // W13, W16: a hundred frames a second go to it, and only its library ever answers
    let (mut listener, mut desk) = (Line::new(true), Desk::new());
    let subscribe = r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#;
    assert_eq!(desk.says(subscribe, 0), 1);
    let mut frames = 0;
    for now_ms in (10..=5 * MINUTE_MS).step_by(10) {
        listener.go_on(now_ms);
        frames += desk.publish("news");
        desk.tick(now_ms);
    }
    assert_eq!(frames, 30_000);
    assert_eq!(listener.given_up_ms, None);
    // What is sent to it is no sign of its life: it was asked all the same.
    assert_eq!(listener.pinged_ms, [150_000]);
}

#[test]
fn a_control_ping_a_second_on_ten_thousand_connections_is_fine() {
    // W11: .NET. That it costs no allocation is held by the allocation tests.
    const CONNECTIONS: usize = 10_000;
    const SECONDS: u64 = 30;
    let mut lines: Vec<Line> = (0..CONNECTIONS).map(|_| Line::new(false)).collect();
    let ping = frame(FIN | PING, "twelve bytes");
    for second in 1..=SECONDS {
        for line in &mut lines {
            line.go_on(second * 1000);
            line.hears(ping.clone());
        }
    }
    for mut line in lines {
        assert!(line.pinged_ms.is_empty());
        line.go_on(SECONDS * 1000 + 149_999); // each ping was a sign of life
        assert!(line.pinged_ms.is_empty());
    }
}

#[test]
fn control_pings_of_many_connections_are_all_answered() {
    // W11, over real sockets: more than any rate of the server would let through
    const CONNECTIONS: usize = 400;
    const PINGS: usize = 150;
    let server = TestServer::plain();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| server.client()).collect();
    let pings = frame(FIN | PING, "twelve bytes").repeat(PINGS);
    for client in &mut clients {
        client.ws.send(&pings);
    }
    thread::scope(|scope| {
        for half in clients.chunks_mut(CONNECTIONS / 2) {
            scope.spawn(|| {
                for client in half {
                    for _ in 0..PINGS {
                        let pong = Incoming::Pong(b"twelve bytes".to_vec());
                        assert_eq!(client.ws.next(), pong);
                    }
                    client.expect_quiet();
                }
            });
        }
    });
}

#[test]
fn each_app_has_its_own_patience() {
    // W9, W15
    let mut hasty = app();
    hasty.activity_timeout_s = 1;
    let calm = App::new("2", "calm-key", "calm-secret");
    let server = TestServer::start(Config {
        activity_grace_ms: 100,
        pong_wait_ms: 1000,
        ..config([hasty, calm])
    });
    let mut quiet = Client::connect(server.address(), "calm-key");
    let mut lively = server.client();
    let mut silent = server.client();
    // Half a frame is as good an answer to a ping as any.
    let ping = frame(FIN | TEXT, r#"{"event":"pusher:ping"}"#);
    assert_eq!(lively.ws.next(), Incoming::Ping(vec![]));
    lively.ws.send(&ping[..4]);
    assert_eq!(silent.ws.next(), Incoming::Ping(vec![]));
    silent.expect_closed(4201);
    assert_eq!(lively.ws.next(), Incoming::Ping(vec![]));
    lively.ws.send(&ping[4..]);
    lively.expect("pusher:pong");
    quiet.expect_quiet(); // nobody asked it anything
}
