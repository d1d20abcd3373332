//! The Pusher server as a handler like any other.

use super::connect::Session;
use super::fanout::Pusher;
use crate::crossing::Notices;
use crate::crossing::fresh::PusherLimits;
use crate::crossing::operator::RowKind;
use crate::handler::{
    Client, Close, Deflate, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use crate::http::Response;
use crate::hub::Hub;
use crate::id::ClientId;
use crate::protocol::{Code, Command};
use std::rc::Rc;
use std::time::Duration;

/// What the application is mounted with.
#[derive(Clone, Debug)]
pub struct Options {
    /// What may change while it runs.
    pub limits: PusherLimits,
    /// Whether `GET /` answers with the demo page.
    pub demo: bool,
    /// What stands in front of `/app/KEY` and `/apps/ID`: empty, or `/` and more without one at
    /// its end.
    pub path_prefix: Box<str>,
}

/// Mounts the application and its REST API, but for patterns at which another handler is mounted
/// already: whoever mounts a path of ours means it. The returned handle takes the mesh's notes.
///
/// `notices` takes what webhooks are to be told of.
pub fn mount(
    router: &mut Router,
    hub: Hub,
    options: Options,
    notices: flume::Sender<Notices>,
) -> Rc<Pusher> {
    let mut pusher = None;
    let behind = |path| format!("{}{path}", options.path_prefix);
    let (clients, backends) = (behind("/app/{key}"), behind("/apps/*"));
    let terminate = behind("/users/{id}/terminate_connections");
    let health = ["/up", "/up/{id}", "/live", "/ready", "/accept-traffic"];
    let behind_prefix = health.map(behind);
    let mut patterns = vec![&*clients, &backends, &terminate, "/"];
    patterns.extend(health);
    if !options.path_prefix.is_empty() {
        patterns.extend(behind_prefix.iter().map(|pattern| &**pattern));
    }
    patterns.retain(|pattern| !router.is_mounted(pattern));
    let nested_in = router.prefix().matches('/').count();
    router.mount_at(&patterns, |endpoint| {
        let shared = Rc::new(Pusher::new(endpoint, hub, options, nested_in, notices));
        pusher = Some(Rc::clone(&shared));
        PusherApp(shared)
    });
    pusher.expect("mounting makes the handler")
}

/// Characters of an unknown key that the client is shown, so that the reason fits its frame.
const KEY_SHOWN: usize = 50;

struct PusherApp(Rc<Pusher>);

impl Handler for PusherApp {
    type Session = Session;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Session>> {
        if request.param("key").is_none() {
            return Ok(Handshake::reject(super::api::not_found())); // H6
        }
        Ok(Handshake::accept(self.0.admit(request).await))
    }

    async fn on_open(&self, client: &mut Client<Session>) -> Result {
        self.0.endpoint.set_pusher(client.id());
        let id = client.id();
        match client.session_mut() {
            Session::Admitted { app, place, dotnet } => {
                self.0.open(id, *app, std::mem::take(place), *dotnet);
            }
            Session::Refused(code) => {
                tracing::debug!(client = ?id, ?code, "refused");
                self.0.endpoint.close_with(id, *code);
            }
            Session::Origin => {
                tracing::debug!(client = ?id, "refused: its origin is not allowed");
                let message = "Origin not allowed";
                self.0
                    .endpoint
                    .close_because(id, Code::Unauthorized, message);
            }
            Session::UnknownKey(key) => {
                tracing::debug!(client = ?id, key, "refused: no app has this key");
                let key: String = key.chars().take(KEY_SHOWN).collect();
                let message = format!(
                    "App key {key} not in this cluster. Did you forget to specify the cluster?"
                );
                self.0
                    .endpoint
                    .close_because(id, Code::UnknownApp, &message);
            }
        }
        Ok(())
    }

    /// The body of a request is read when it is known who sent it.
    fn streams_requests(&self) -> bool {
        true
    }

    async fn on_message(&self, client: &mut Client<Session>, message: Message<'_>) -> Result {
        let Message::Text(text) = message else {
            self.0
                .endpoint
                .close_with(client.id(), Code::UnsupportedData); // H2
            return Ok(());
        };
        let now_ms = self.0.endpoint.clock().now_ms();
        let app = match client.session() {
            Session::Admitted { app, .. } => Some(*app),
            _ => None,
        };
        if let Some(app) = app {
            let tallies = &self.0.tallies;
            tallies.count(app, |tally| tally.read.add(1, text.len()));
        }
        let is_membership = {
            let mut parser = self.0.parser.borrow_mut();
            let command = parser.parse(text);
            self.0.log_in(client.id(), app, &command);
            let is_membership = matches!(
                command,
                Ok(Command::Subscribe(_) | Command::Unsubscribe { .. } | Command::SignIn(_))
            );
            if matches!(command, Ok(Command::ClientEvent(_))) {
                self.0.time_next();
            }
            let draft = app.and_then(|app| self.0.draft(client.id(), app, &command));
            let room = |home| self.0.endpoint.has_room(home);
            self.0
                .drive(|hub, effects| hub.command(client.id(), command, now_ms, room, effects));
            if let Some(draft) = draft {
                self.0.note_draft(&draft);
            }
            is_membership
        };
        // Client events are refused while other shards cannot keep up. Membership never is, so
        // who changes it waits here, and what it sends next is not looked at. That is rare, and
        // the state of the wait is not held until then.
        if is_membership && self.0.endpoint.is_pressed() {
            Box::pin(self.0.endpoint.relieved()).await;
        }
        Ok(())
    }

    async fn on_close(&self, client: ClientId, session: Session, close: Close) {
        tracing::debug!(
            ?client,
            code = close.code,
            by_peer = close.by_peer,
            "disconnected"
        );
        if let Session::Admitted { app, .. } = session {
            self.0.tallies.count(app, |tally| tally.ended += 1);
            if self.0.tap.is_open() {
                let text = format!("{} {}", close.code, close.reason);
                let kind = RowKind::Disconnected;
                (self.0).note_client(client, app, kind, text.trim_end());
            }
        }
        self.0
            .drive(|hub, effects| hub.close(client, close.code, effects));
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        let (method, path) = (request.method(), request.path());
        let response = self.0.answer(request).await;
        tracing::debug!(method, path, status = response.status(), "answered");
        response
    }

    fn serves_while_stopping(&self) -> bool {
        true // W22: who waits for its close is served meanwhile
    }

    fn idle_timeout(&self) -> Option<Duration> {
        None // each app has its own (W15)
    }

    fn keeps_info(&self) -> bool {
        false // nobody asks, and there may be very many of them
    }

    fn message_max(&self) -> usize {
        self.0.limits.get().message_bytes
    }

    fn deflate(&self) -> Option<Deflate> {
        self.0.limits.get().deflate
    }
}
