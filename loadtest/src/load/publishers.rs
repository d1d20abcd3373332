//! Backends that publish: HTTP connections that are kept open, each with some requests under way.

use super::Member;
use super::publish::{Pool, Publish};
use crate::engine::check::Sent;
use crate::engine::clock::NEVER;
use crate::engine::schedule::Schedule;
use crate::engine::timing::Timing;
use crate::engine::{Ended, SocketNo, Sockets};
use crate::wire::http::{self, Answer};
use crate::wire::mark::Mark;
use std::collections::{BTreeMap, VecDeque};
use std::io;

/// When a publisher of a closed loop begins its next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When the request was answered.
    Answered,
    /// When every subscriber has it too; so many there are.
    Delivered(u32),
}

/// How it is published.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Connections.
    pub publishers: u32,
    /// Requests under way on each of them.
    pub pipeline: u32,
    /// Publishes in a second; without it the loop is closed.
    pub rate: Option<f64>,
    /// When the closed loop goes on.
    pub until: Until,
    /// Messages in one request.
    pub batch: u32,
}

/// One connection's messages to one channel: within it, order must hold.
#[derive(Debug)]
pub struct Stream {
    /// The channel's number.
    pub channel: u32,
    /// Which of the channel's streams it is.
    pub place: u32,
    /// What was sent in it.
    pub sent: Sent,
    /// Whose it is.
    publisher: u32,
    /// Messages that the closed loop waits for.
    awaited: VecDeque<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    first: u32,
    left: u32,
}

/// Counts over the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Messages in requests that were written.
    pub published: u64,
    /// Messages in requests that were answered.
    pub answered: u64,
    /// Those of them that the server refused.
    pub refused: u64,
}

/// All publishers of a load.
#[derive(Debug)]
pub struct Publishers {
    /// What they send.
    pub streams: Vec<Stream>,
    /// What they did.
    pub counts: Counts,
    /// Refusals by status.
    pub statuses: BTreeMap<u16, u64>,
    /// From when a message was due until its request was answered.
    pub answer: Timing,
    /// Connections that ended with requests under way.
    pub died: u64,
    /// Connections that the server ended after an answer.
    pub reopened: u64,
    connections: Vec<Connection>,
    /// The server ends connections after an answer, so what is sent behind a request is dropped.
    one_each: bool,
    request: Publish,
    /// Where nobody listens, requests are taken from here.
    pool: Option<Pool>,
    channels: u32,
    pace: Pace,
    schedule: Option<Schedule>,
    running: bool,
    /// Number of the first publisher among the load's members.
    first_member: u32,
}

#[derive(Debug, Default)]
struct Connection {
    socket: Option<SocketNo>,
    streams: Vec<u32>,
    turn: usize,
    /// Requests without an answer.
    under_way: VecDeque<UnderWay>,
    /// The server said that it ends this connection: nothing more is sent on it.
    closing: bool,
    /// Requests that stood behind such an answer: the next connection begins with them.
    again: VecDeque<UnderWay>,
    /// Messages that hold the next one back.
    busy: u32,
    /// What was due while the pipeline was full.
    backlog: VecDeque<(u32, u64)>,
    /// Answers on this connection.
    answers: u64,
    /// The last answer. Most are the same to the byte, and then need no look inside.
    last: Vec<u8>,
    last_answer: Answer,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    stream: u32,
    /// The number of its first message.
    first: u32,
    due: u64,
}

impl Publishers {
    /// Of so many channels, each published by as few connections as possible.
    pub fn new(pace: Pace, channels: u32, request: Publish, first_member: u32) -> Self {
        let stream = |number: u32| Stream {
            channel: number % channels,
            place: number / channels,
            sent: Sent::default(),
            publisher: number % pace.publishers,
            awaited: VecDeque::new(),
        };
        let streams: Vec<Stream> = (0..channels.max(pace.publishers)).map(stream).collect();
        let mut connections: Vec<Connection> = Vec::new();
        connections.resize_with(pace.publishers as usize, Connection::default);
        for (number, stream) in streams.iter().enumerate() {
            connections[stream.publisher as usize]
                .streams
                .push(number as u32);
        }
        Self {
            streams,
            counts: Counts::default(),
            statuses: BTreeMap::new(),
            answer: Timing::default(),
            died: 0,
            reopened: 0,
            connections,
            one_each: false,
            request,
            pool: None,
            channels,
            pace,
            schedule: None,
            running: false,
            first_member,
        }
    }

    /// How many connections.
    pub fn count(&self) -> u32 {
        self.pace.publishers
    }

    /// Most streams that one channel has.
    pub fn streams_of_a_channel(&self) -> usize {
        let places = self.streams.iter().map(|stream| stream.place + 1);
        places.max().unwrap_or(1) as usize
    }

    /// Begins to connect all.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(&mut self, sockets: &mut Sockets) -> io::Result<()> {
        for (number, connection) in self.connections.iter_mut().enumerate() {
            connection.socket = Some(sockets.open(self.first_member + number as u32)?);
        }
        Ok(())
    }

    /// Signs requests beforehand. Nobody must listen to them.
    pub fn prepare(&mut self, unix_s: u64) {
        self.pool = Some(Pool::new(&mut self.request, self.channels, unix_s));
    }

    /// Begins to publish.
    pub fn begin(&mut self, now: u64, sockets: &mut Sockets) {
        self.running = true;
        let batch = f64::from(self.pace.batch);
        self.schedule = self.pace.rate.map(|rate| Schedule::new(now, rate / batch));
        for publisher in 0..self.connections.len() {
            self.go_on(publisher, now, sockets);
        }
    }

    /// Publishes no more, except what was due already.
    pub fn stop(&mut self, now: u64) {
        self.running = false;
        self.schedule = None;
        self.answer.stop(now);
    }

    /// Publishes what is due; says when the next one is.
    pub fn turn(&mut self, now: u64, sockets: &mut Sockets) -> u64 {
        let Some(mut schedule) = self.schedule else {
            return NEVER;
        };
        while let Some((number, due)) = schedule.take(now) {
            let stream = (number % self.streams.len() as u64) as u32;
            let publisher = self.streams[stream as usize].publisher as usize;
            self.connections[publisher].backlog.push_back((stream, due));
            self.go_on(publisher, now, sockets);
        }
        self.schedule = Some(schedule);
        schedule.due()
    }

    /// The run is over: of what was not answered nobody knows whether it was taken. Says how many.
    pub fn give_up(&mut self) -> u64 {
        let mut count = 0;
        for connection in &mut self.connections {
            let open = connection.again.drain(..);
            for request in open.chain(connection.under_way.drain(..)) {
                count += 1;
                let stream = &mut self.streams[request.stream as usize];
                let numbers = request.first..request.first + self.pace.batch;
                stream.sent.doubtful.extend(numbers);
            }
        }
        count
    }

    /// Whether nothing is on its way any more.
    pub fn settled(&self) -> bool {
        let idle = |one: &Connection| {
            one.under_way.is_empty() && one.again.is_empty() && one.backlog.is_empty()
        };
        self.connections.iter().all(idle)
    }

    /// Answers came.
    ///
    /// # Errors
    /// When they are not understood.
    pub fn received(
        &mut self,
        member: Member,
        bytes: &[u8],
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<usize, Ended> {
        let publisher = (member.number - self.first_member) as usize;
        let mut used = 0;
        while let Some(answer) = self.connections[publisher].answer(&bytes[used..])? {
            used += answer.length;
            self.answered(publisher, answer.status, now)?;
            if answer.closes {
                self.closes(publisher);
                return Ok(bytes.len());
            }
        }
        self.go_on(publisher, now, sockets);
        Ok(used)
    }

    fn answered(&mut self, publisher: usize, status: u16, now: u64) -> Result<(), Ended> {
        let connection = &mut self.connections[publisher];
        let Some(request) = connection.under_way.pop_front() else {
            return Err(Ended::said("an answer to no request"));
        };
        connection.answers += 1;
        let batch = self.pace.batch;
        self.counts.answered += u64::from(batch);
        self.answer.record(request.due, now);
        let taken = (200..300).contains(&status);
        if !taken {
            self.counts.refused += u64::from(batch);
            *self.statuses.entry(status).or_default() += u64::from(batch);
            let stream = &mut self.streams[request.stream as usize];
            stream
                .sent
                .refused
                .extend(request.first..request.first + batch);
        }
        if !taken || self.pace.until == Until::Answered {
            self.release(publisher, request);
        }
        Ok(())
    }

    /// The last answer says that the server ends the connection, which is then to be waited for.
    /// It takes nothing that was sent behind (RFC 9112, 9.6), so that may be sent again.
    fn closes(&mut self, publisher: usize) {
        self.one_each = true;
        let connection = &mut self.connections[publisher];
        connection.closing = true;
        for request in std::mem::take(&mut connection.under_way) {
            self.release(publisher, request);
            self.connections[publisher].again.push_back(request);
        }
    }

    /// A request holds the next one back no longer.
    fn release(&mut self, publisher: usize, request: UnderWay) {
        let awaited = &mut self.streams[request.stream as usize].awaited;
        let place = awaited.iter().position(|one| one.first == request.first);
        if let Some(place) = place {
            awaited.remove(place);
        }
        // Whose deliveries are awaited was released by the last of them.
        if place.is_some() || self.pace.until == Until::Answered {
            self.connections[publisher].busy -= 1;
        }
    }

    /// A subscriber got a message. Needs to be known only when the closed loop waits for it.
    #[inline]
    pub fn delivered(&mut self, stream: u32, sequence: u32, now: u64, sockets: &mut Sockets) {
        if self.pace.until == Until::Answered {
            return;
        }
        let stream = &mut self.streams[stream as usize];
        let first = sequence - sequence % self.pace.batch;
        let Some(at) = stream.awaited.iter().position(|one| one.first == first) else {
            return;
        };
        stream.awaited[at].left -= 1;
        if stream.awaited[at].left == 0 {
            stream.awaited.remove(at);
            let publisher = stream.publisher as usize;
            self.connections[publisher].busy -= 1;
            self.go_on(publisher, now, sockets);
        }
    }

    /// A connection is no more. It is opened again unless the run is over.
    ///
    /// # Errors
    /// When the server ends connections without having answered anything on them.
    pub fn ended(&mut self, member: Member, why: &Ended, sockets: &mut Sockets) -> io::Result<()> {
        let publisher = (member.number - self.first_member) as usize;
        let connection = &mut self.connections[publisher];
        connection.socket = None;
        connection.closing = false;
        connection.last.clear();
        if connection.answers == 0 && self.running {
            let text = format!("a publisher's connection was of no use: {why}");
            return Err(io::Error::other(text));
        }
        connection.answers = 0;
        if connection.under_way.is_empty() {
            self.reopened += 1;
        } else {
            self.died += 1;
        }
        for request in std::mem::take(&mut connection.under_way) {
            let stream = &mut self.streams[request.stream as usize];
            let numbers = request.first..request.first + self.pace.batch;
            stream.sent.doubtful.extend(numbers);
            self.release(publisher, request);
        }
        let connection = &mut self.connections[publisher];
        if self.running || !connection.again.is_empty() || !connection.backlog.is_empty() {
            connection.socket = Some(sockets.open(member.number)?);
            self.go_on(publisher, sockets.clock.now(), sockets);
        }
        Ok(())
    }

    /// Fills a connection's pipeline: with what was due, or in a closed loop with the next.
    fn go_on(&mut self, publisher: usize, now: u64, sockets: &mut Sockets) {
        let room = if self.one_each { 1 } else { self.pace.pipeline };
        loop {
            let connection = &mut self.connections[publisher];
            let Some(socket) = connection.socket.filter(|_| !connection.closing) else {
                return;
            };
            if connection.busy >= room || (self.one_each && !connection.under_way.is_empty()) {
                return;
            }
            let Some(request) = self.next_request(publisher, now) else {
                return;
            };
            if let Until::Delivered(subscribers) = self.pace.until {
                let (first, left) = (request.first, subscribers * self.pace.batch);
                let stream = &mut self.streams[request.stream as usize];
                stream.awaited.push_back(Awaited { first, left });
            }
            let connection = &mut self.connections[publisher];
            connection.busy += 1;
            connection.under_way.push_back(request);
            let mark = Mark {
                stream: request.stream,
                sequence: request.first,
                due: request.due,
            };
            self.write(mark, socket, now, sockets);
        }
    }

    /// What goes out next: first what has to be sent again.
    fn next_request(&mut self, publisher: usize, now: u64) -> Option<UnderWay> {
        let connection = &mut self.connections[publisher];
        if let Some(request) = connection.again.pop_front() {
            return Some(request);
        }
        let (stream, due) = match self.pace.rate {
            Some(_) => connection.backlog.pop_front()?,
            None => self.running.then(|| (connection.next_stream(), now))?,
        };
        let sent = &mut self.streams[stream as usize].sent;
        let first = sent.count;
        sent.count += self.pace.batch;
        self.counts.published += u64::from(self.pace.batch);
        Some(UnderWay { stream, first, due })
    }

    fn write(&mut self, mark: Mark, socket: SocketNo, now: u64, sockets: &mut Sockets) {
        let unix_s = sockets.clock.unix_s(now);
        if let Some(pool) = &mut self.pool {
            if let Some(request) = pool.take(unix_s) {
                sockets.out(socket).extend_from_slice(request);
                return;
            }
            self.prepare(unix_s);
        }
        let channel = self.streams[mark.stream as usize].channel;
        let out = sockets.out(socket);
        self.request.write(channel, mark, unix_s, out);
    }
}

impl Connection {
    fn next_stream(&mut self) -> u32 {
        let stream = self.streams[self.turn % self.streams.len()];
        self.turn += 1;
        stream
    }

    /// The next answer, if it is whole.
    fn answer(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Ended> {
        if !self.last.is_empty() && bytes.starts_with(&self.last) {
            return Ok(Some(self.last_answer));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let answer = http::answer(bytes).map_err(Ended::said)?;
        Ok(answer.inspect(|answer| {
            self.last.clear();
            self.last.extend_from_slice(&bytes[..answer.length]);
            self.last_answer = *answer;
        }))
    }
}
