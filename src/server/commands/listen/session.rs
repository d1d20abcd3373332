//! One connection after the other of `listen`: greeted, subscribed, kept alive, ended.

use super::super::dial::{self, PATIENCE, Stream};
use super::super::ending::Failure;
use super::super::reach::Place;
use super::super::rest;
use super::super::signature::{self, encode};
use super::super::terminal::{complain, plain, try_say};
use super::heard::Frame;
use super::plan::Plan;
use crate::app::App;
use serde_json::{Value, json};
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tungstenite::client::client;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// How long an answer to a ping is waited for (W12).
const PONG_WAIT: Duration = Duration::from_secs(30);

/// For how long a subscription lasts on a server that has not only come back to close it again.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// How a connection ended.
pub(super) enum End {
    /// Everything that was wanted was heard, or nobody reads it any more.
    Done,
    /// Nobody is there.
    Unreachable(Failure),
    /// To come back would not help.
    Refused(Failure),
    /// It broke, or was closed with this code.
    Lost { reason: String, code: Option<u16> },
}

/// What lasts from one connection to the next.
pub(super) struct Session<'a> {
    place: &'a Place,
    app: &'a App,
    plan: &'a Plan,
    /// Events heard so far.
    heard: u64,
    /// Since when something is subscribed to on the last connection.
    subscribed: Option<Instant>,
    /// The last error that the server told, which says more than the close that follows.
    error: Option<String>,
}

/// A connection that is open.
struct Open {
    socket: WebSocket<Stream>,
    /// How long nothing may be heard.
    quiet: Duration,
    /// Whether an answer to a ping is waited for.
    is_asked: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(place: &'a Place, app: &'a App, plan: &'a Plan) -> Self {
        Self {
            place,
            app,
            plan,
            heard: 0,
            subscribed: None,
            error: None,
        }
    }

    /// Connects, and goes on until the end of the connection.
    pub(super) fn run(&mut self) -> End {
        self.error = None;
        self.subscribed = None;
        let mut open = match self.open() {
            Ok(open) => open,
            Err(failure) => return End::Unreachable(failure),
        };
        loop {
            let step = match open.socket.read() {
                Ok(Message::Text(text)) => {
                    open.is_asked = false;
                    self.frame(&mut open, &text)
                }
                Ok(Message::Close(close)) => {
                    // The answer is on its way; that it does not arrive is of no matter now.
                    let _ = open.socket.flush();
                    Err(self.closed(close))
                }
                Ok(_) => Ok(()),
                Err(Error::Io(error)) if is_quiet(&error) => self.quiet(&mut open),
                Err(error) => Err(self.lost(&error.to_string())),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Whether the last connection was good for something: the server had time to close it when all
    /// was subscribed to, and did not.
    pub(super) fn was_good(&self) -> bool {
        self.subscribed.is_some_and(|at| at.elapsed() >= GOOD_FOR)
    }

    fn open(&self) -> Result<Open, Failure> {
        let place = self.place;
        let stream = dial::stream(place)?;
        let path = format!(
            "/app/{}?protocol=7&client=shardcast&version={}",
            encode(&self.app.key),
            env!("CARGO_PKG_VERSION")
        );
        match client(place.url("ws", &path), stream) {
            Ok((socket, _)) => Ok(Open {
                socket,
                quiet: PATIENCE,
                is_asked: false,
            }),
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                let status = answer.status();
                let body = answer.body().as_deref().unwrap_or_default();
                let said = rest::said(&String::from_utf8_lossy(body));
                Err(Failure::unavailable(format!(
                    "{place} answered {status} instead of a WebSocket: {said}"
                )))
            }
            Err(HandshakeError::Failure(error)) => Err(Failure::unavailable(format!(
                "{place} does not speak WebSocket: {error}"
            ))),
            Err(HandshakeError::Interrupted(_)) => {
                let seconds = PATIENCE.as_secs();
                Err(Failure::unavailable(format!(
                    "{place} did not answer within {seconds} seconds"
                )))
            }
        }
    }

    /// Nothing was heard for as long as there should be something.
    fn quiet(&self, open: &mut Open) -> Result<(), End> {
        if open.is_asked {
            return Err(self.lost("nothing is heard any more"));
        }
        open.is_asked = true;
        self.send(open, "pusher:ping", json!({}))?;
        self.patience(open, PONG_WAIT)
    }

    fn frame(&mut self, open: &mut Open, text: &str) -> Result<(), End> {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            complain(&format!("not understood: {}\n", plain(text)));
            return Ok(());
        };
        self.patience(open, open.quiet)?;
        match &frame.event[..] {
            "pusher:connection_established" => self.greeted(open, &frame),
            "pusher:ping" => self.send(open, "pusher:pong", json!({})),
            "pusher:pong" | "pusher:signin_success" => Ok(()),
            "pusher:error" => self.error(&frame),
            "pusher:subscription_error" => Err(End::Refused(self.not_subscribed(&frame))),
            "pusher_internal:subscription_succeeded" => self.subscribed(&frame),
            _ => self.print(&frame),
        }
    }

    fn greeted(&mut self, open: &mut Open, frame: &Frame) -> Result<(), End> {
        let socket_id = frame.text("socket_id").unwrap_or_default();
        let quiet = frame.data()["activity_timeout"].as_u64().unwrap_or(120);
        open.quiet = Duration::from_secs(quiet.max(1));
        self.patience(open, open.quiet)?;
        let (place, id) = (self.place.url("ws", ""), plain(&socket_id));
        complain(&format!("connected to {place} as {id}\n"));
        if let Some(data) = &self.plan.user {
            let auth = signature::user(self.app, &socket_id, data);
            self.send(
                open,
                "pusher:signin",
                json!({ "auth": auth, "user_data": data }),
            )?;
        }
        for (name, kind) in &self.plan.channels {
            let data = kind.is_presence().then_some(&self.plan.member[..]);
            let mut subscription = json!({ "channel": name });
            if kind.needs_auth() {
                let auth = signature::channel(self.app, &socket_id, name, data);
                subscription["auth"] = Value::String(auth);
            }
            if let Some(data) = data {
                subscription["channel_data"] = Value::String(data.to_owned());
            }
            self.send(open, "pusher:subscribe", subscription)?;
        }
        Ok(())
    }

    fn subscribed(&mut self, frame: &Frame) -> Result<(), End> {
        let name = frame.channel.as_deref().unwrap_or_default();
        self.subscribed.get_or_insert_with(Instant::now);
        complain(&format!("subscribed to {}\n", plain(name)));
        let mut channels = self.plan.channels.iter();
        let kind = channels
            .find(|(known, _)| known == name)
            .map(|(_, kind)| kind);
        if kind.is_some_and(|kind| kind.is_encrypted()) {
            complain("its events are encrypted from end to end: they are shown as they travel\n");
        }
        match kind.is_some_and(|kind| kind.is_presence()) {
            true => self.print(frame),
            false => Ok(()),
        }
    }

    /// Prints a frame, if it was asked for.
    fn print(&mut self, frame: &Frame) -> Result<(), End> {
        let plan = self.plan;
        let is_published = frame.is_published();
        let mut wanted = plan.events.iter();
        if !plan.events.is_empty() && !wanted.any(|name| frame.is_called(name)) {
            return Ok(());
        }
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = match plan.json {
            true => frame.as_json(at),
            false => frame.as_text(at, plan.colour),
        };
        // As `head` does, whoever reads may have had enough.
        try_say(&line).map_err(|_| End::Done)?;
        self.heard += u64::from(is_published);
        match plan.count.is_some_and(|count| self.heard >= count) {
            true => Err(End::Done),
            false => Ok(()),
        }
    }

    /// An error may be the last word before a close, or about one message.
    fn error(&mut self, frame: &Frame) -> Result<(), End> {
        let message = plain(&frame.text("message").unwrap_or_default());
        let channel = frame.channel.as_deref();
        let is_wanted = |name: &str| self.plan.channels.iter().any(|(known, _)| known == name);
        // Some servers refuse a subscription so.
        if channel.is_some_and(is_wanted) {
            return Err(End::Refused(self.not_subscribed(frame)));
        }
        match frame.data()["code"].as_u64() {
            // A close follows, and says it.
            Some(4000..=4299) => self.error = Some(message),
            _ => complain(&format!("the server says: {message}\n")),
        }
        Ok(())
    }

    fn not_subscribed(&self, frame: &Frame) -> Failure {
        let said = frame.text("error").or_else(|| frame.text("message"));
        let said = plain(&said.unwrap_or_default());
        let name = plain(frame.channel.as_deref().unwrap_or_default());
        let (app, place) = (&self.app.id, self.place);
        match frame.text("type").as_deref() {
            Some("LimitReached") => {
                Failure::unavailable(format!("cannot subscribe to {name}: {said}"))
            }
            Some("AuthError") | None => Failure::config(format!(
                "cannot subscribe to {name}: {said} Is the secret of app {app} here the one that \
                 {place} knows?"
            )),
            Some(_) => Failure::usage(format!("cannot subscribe to {name}: {said}")),
        }
    }

    fn closed(&self, close: Option<CloseFrame>) -> End {
        let Some(close) = close else {
            return self.lost("the server closed the connection");
        };
        let code = u16::from(close.code);
        let said = plain(&close.reason);
        let said = self.error.as_ref().unwrap_or(&said);
        let hint = match code {
            4000 => " (give --url wss://... or the settings of TLS)",
            4001 => " (is its key another there?)",
            _ => "",
        };
        let place = self.place.url("ws", "");
        End::Lost {
            reason: format!("{place} closed the connection with {code}: {said}{hint}"),
            code: Some(code),
        }
    }

    fn lost(&self, reason: &str) -> End {
        End::Lost {
            reason: format!("lost {}: {reason}", self.place.url("ws", "")),
            code: None,
        }
    }

    fn patience(&self, open: &mut Open, time: Duration) -> Result<(), End> {
        let set = open.socket.get_ref().patience(time);
        set.map_err(|error| self.lost(&error.to_string()))
    }

    fn send(&self, open: &mut Open, event: &str, data: Value) -> Result<(), End> {
        let text = json!({ "event": event, "data": data }).to_string();
        let sent = open.socket.send(Message::text(text));
        sent.map_err(|error| self.lost(&error.to_string()))
    }
}

fn is_quiet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
