//! A small server that makes the faults it is told to make, and counts them.

use super::connection::{Connection, Heard, frame};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What it does wrong; 0 is never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Every so-manieth delivery is left out.
    pub drop_every: u64,
    /// Every so-manieth delivery is made twice.
    pub duplicate_every: u64,
    /// Every so-manieth delivery comes after the next one of its subscriber.
    pub swap_every: u64,
    /// Every so-manieth publish is answered with 503 and not delivered.
    pub refuse_every: u64,
    /// Every so-manieth publish is the last that its connection is served: the answer says so.
    pub close_after_every: u64,
    /// Every so-manieth client event is answered with 4301 and not delivered.
    pub refuse_event_every: u64,
    /// Instead of this delivery, its subscriber is thrown out.
    pub close_at: u64,
    /// Before it serves this publish, it does nothing for so long.
    pub stall_at: u64,
    pub stall: Duration,
    /// It does nothing for as long when so many connections have gone.
    pub stall_when_gone: u64,
    /// Upgrades answered with 503, at every so-manieth connection.
    pub refuse_upgrade_every: u64,
}

/// What it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub published: u64,
    pub refused: u64,
    /// Publishers' connections that were ended after an answer.
    pub last_answers: u64,
    pub refused_events: u64,
    pub refused_upgrades: u64,
    /// Deliveries that were to be made, faults included.
    pub deliveries: u64,
    pub dropped: u64,
    pub duplicated: u64,
    pub swapped: u64,
    /// Deliveries that still waited for a next one at the end.
    pub held: u64,
    pub closed: u64,
    upgrades: u64,
    events: u64,
    gone: u64,
}

/// The running server.
#[derive(Debug)]
pub struct CountingServer {
    pub address: SocketAddr,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<Counts>>,
}

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

struct State {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    faults: Faults,
    counts: Counts,
}

impl CountingServer {
    pub fn start(faults: Faults) -> Self {
        Self::start_on(0, faults)
    }

    pub fn start_on(port: u16, faults: Faults) -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), STOP).unwrap());
        let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into()).unwrap();
        let address = listener.local_addr().unwrap();
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)
            .unwrap();
        let state = State {
            poll,
            connections: Vec::new(),
            faults,
            counts: Counts::default(),
        };
        let thread = Some(std::thread::spawn(move || state.run(&listener)));
        Self {
            address,
            waker,
            thread,
        }
    }

    /// Ends it and says what it did.
    pub fn stop(mut self) -> Counts {
        self.waker.wake().unwrap();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl State {
    fn run(mut self, listener: &TcpListener) -> Counts {
        let mut events = Events::with_capacity(256);
        loop {
            self.poll.poll(&mut events, None).unwrap();
            for event in &events {
                match event.token() {
                    STOP => {
                        let all = self.connections.iter().flatten();
                        self.counts.held += all.filter(|one| one.held.is_some()).count() as u64;
                        return self.counts;
                    }
                    LISTENER => self.accept(listener),
                    Token(number) => self.serve(number),
                }
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener) {
        while let Ok((mut stream, _)) = listener.accept() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(self.connections.len());
            self.poll
                .registry()
                .register(&mut stream, token, interest)
                .unwrap();
            stream.set_nodelay(true).unwrap();
            self.connections.push(Some(Connection::new(stream)));
        }
    }

    fn serve(&mut self, number: usize) {
        let Some(connection) = &mut self.connections[number] else {
            return;
        };
        connection.flush();
        let lives = connection.read();
        while let Some(heard) = self.connections[number].as_mut().and_then(Connection::next) {
            match heard {
                Heard::Upgrade => self.upgrade(number),
                Heard::Publish(body) => self.publish(number, &body),
                Heard::Message(message) => self.message(number, &message),
                Heard::Close => self.remove(number),
            }
        }
        if !lives {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: usize) {
        if let Some(mut connection) = self.connections[number].take() {
            self.counts.held += u64::from(connection.held.is_some());
            let _ = self.poll.registry().deregister(connection.stream());
            self.counts.gone += 1;
            if self.counts.gone == self.faults.stall_when_gone {
                self.stall();
            }
        }
    }

    fn write(&mut self, number: usize, bytes: &[u8]) {
        if let Some(connection) = &mut self.connections[number] {
            connection.write(bytes);
        }
    }

    fn upgrade(&mut self, number: usize) {
        self.counts.upgrades += 1;
        if is_nth(self.counts.upgrades, self.faults.refuse_upgrade_every) {
            self.counts.refused_upgrades += 1;
            self.write(number, b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n");
            return self.remove(number);
        }
        self.write(
            number,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        );
        let id = format!("{{\"socket_id\":\"{number}.1\",\"activity_timeout\":120}}");
        let hello = json!({ "event": "pusher:connection_established", "data": id });
        self.write(number, &frame(&hello.to_string()));
    }

    fn publish(&mut self, number: usize, body: &Value) {
        if let Some(batch) = body["batch"].as_array() {
            // Faults are for single messages; a batch is all taken.
            for one in batch {
                self.counts.published += 1;
                self.send_all(one["channel"].as_str().unwrap(), number, &event(one));
            }
            return self.write(number, OK);
        }
        self.counts.published += 1;
        if self.counts.published == self.faults.stall_at {
            self.stall();
        }
        if is_nth(self.counts.published, self.faults.refuse_every) {
            self.counts.refused += 1;
            return self.write(number, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        }
        let channel = body["channels"][0].as_str().unwrap();
        let one = json!({ "name": body["name"], "channel": channel, "data": body["data"] });
        self.send_all(channel, number, &event(&one));
        if is_nth(self.counts.published, self.faults.close_after_every) {
            self.counts.last_answers += 1;
            if let Some(connection) = &mut self.connections[number] {
                connection.write_last(LAST_OK);
            }
            return;
        }
        self.write(number, OK);
    }

    /// Serves nobody for a while: waits for something that never comes.
    fn stall(&mut self) {
        let mut silence = Poll::new().unwrap();
        let end = Instant::now() + self.faults.stall;
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            silence
                .poll(&mut Events::with_capacity(1), Some(left))
                .unwrap();
        }
    }

    fn message(&mut self, number: usize, message: &Value) {
        let event = message["event"].as_str().unwrap();
        match event {
            "pusher:subscribe" => self.subscribe(number, &message["data"]),
            "pusher:unsubscribe" => {
                let channel = message["data"]["channel"].as_str().unwrap();
                self.leave(number, channel);
            }
            _ if event.starts_with("client-") => {
                self.counts.events += 1;
                if is_nth(self.counts.events, self.faults.refuse_event_every) {
                    self.counts.refused_events += 1;
                    let error = json!({ "code": 4301, "message": "too fast" });
                    let error = json!({ "event": "pusher:error", "data": error });
                    return self.write(number, &frame(&error.to_string()));
                }
                let channel = message["channel"].as_str().unwrap();
                self.send_all(channel, number, &frame(&message.to_string()));
            }
            other => panic!("{other}"),
        }
    }

    fn subscribe(&mut self, number: usize, data: &Value) {
        let channel = data["channel"].as_str().unwrap();
        let member: Option<Value> = data["channel_data"]
            .as_str()
            .map(|text| serde_json::from_str(text).unwrap());
        let user_id = member.map_or(String::new(), |member| {
            member["user_id"].as_str().unwrap().to_owned()
        });
        if channel.starts_with("presence-") {
            self.tell_members(number, channel, "pusher_internal:member_added", &user_id);
        }
        if let Some(connection) = &mut self.connections[number] {
            connection.channels.push((channel.to_owned(), user_id));
        }
        let event = "pusher_internal:subscription_succeeded";
        let answer = json!({ "event": event, "channel": channel, "data": "{}" });
        self.write(number, &frame(&answer.to_string()));
    }

    fn leave(&mut self, number: usize, channel: &str) {
        let connection = self.connections[number].as_mut().unwrap();
        let place = connection
            .channels
            .iter()
            .position(|(name, _)| name == channel);
        let (_, user_id) = connection.channels.remove(place.unwrap());
        self.tell_members(number, channel, "pusher_internal:member_removed", &user_id);
    }

    fn tell_members(&mut self, number: usize, channel: &str, event: &str, user_id: &str) {
        let data = json!({ "user_id": user_id }).to_string();
        let news = frame(&json!({ "event": event, "channel": channel, "data": data }).to_string());
        if user_id.starts_with("loadtest-churner") {
            return self.send_all(channel, number, &news);
        }
        // The members of the beginning are nobody's business: no faults, no counts.
        for other in 0..self.connections.len() {
            if other != number && self.is_in(other, channel) {
                self.write(other, &news);
            }
        }
    }

    fn is_in(&self, number: usize, channel: &str) -> bool {
        let connection = self.connections[number].as_ref();
        connection.is_some_and(|one| one.channels.iter().any(|(name, _)| name == channel))
    }

    /// To every subscriber but one.
    fn send_all(&mut self, channel: &str, from: usize, frame: &[u8]) {
        for number in 0..self.connections.len() {
            if number != from && self.is_in(number, channel) {
                self.deliver(number, frame);
            }
        }
    }

    fn deliver(&mut self, number: usize, frame: &[u8]) {
        let Faults {
            drop_every,
            duplicate_every,
            swap_every,
            close_at,
            ..
        } = self.faults;
        let Some(connection) = &mut self.connections[number] else {
            return;
        };
        let counts = &mut self.counts;
        counts.deliveries += 1;
        if counts.deliveries == close_at {
            counts.closed += 1;
            return self.remove(number);
        }
        if is_nth(counts.deliveries, drop_every) {
            counts.dropped += 1;
            return;
        }
        if is_nth(counts.deliveries, duplicate_every) {
            counts.duplicated += 1;
            connection.write(frame);
        }
        if is_nth(counts.deliveries, swap_every) && connection.held.is_none() {
            connection.held = Some(frame.to_vec());
            return;
        }
        connection.write(frame);
        if let Some(held) = connection.held.take() {
            counts.swapped += 1;
            connection.write(&held);
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

const LAST_OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/// What subscribers get of a message.
fn event(message: &Value) -> Vec<u8> {
    let (name, channel, data) = (&message["name"], &message["channel"], &message["data"]);
    frame(&json!({ "event": name, "channel": channel, "data": data }).to_string())
}

fn is_nth(number: u64, every: u64) -> bool {
    every > 0 && number.is_multiple_of(every)
}
