//! From the handshake's URL to an open session, or to the code that refuses it (section 1.3).

use super::fanout::Pusher;
use crate::app::QuotaClose;
use crate::crossing::operator::RowKind;
use crate::handler::Request;
use crate::http::origin;
use crate::http::query::{self, Plus};
use crate::hub::Answer;
use crate::id::{AppSlot, ClientId, SocketId};
use crate::protocol::{Code, event};
use crate::ws::Frame;
use std::rc::Rc;

/// What the handshake found out about a connection.
#[derive(Debug)]
pub(super) enum Session {
    /// It may open.
    Admitted {
        /// The app.
        app: AppSlot,
        /// What it holds of its app's places.
        place: Place,
        /// Whether it is a .NET client, which wants a third frame for a failed subscription.
        dotnet: bool,
    },
    /// The upgrade goes through, so that the client can be told why it may not stay.
    Refused(Code),
    /// Same, for a key that no app has: the client is told which one it was.
    #[expect(
        clippy::box_collection,
        reason = "rare, and a session is to stay small"
    )]
    UnknownKey(Box<String>),
    /// Same, for a page of an origin that the app does not list.
    Origin,
}

// It is held as long as its connection.
const _: () = assert!(size_of::<Session>() <= 16);

/// A place of an app, taken in the handshake, or none. Should a middleware refuse the handshake
/// after that, it is given back when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Place(Option<Box<(Rc<Pusher>, AppSlot)>>);

impl Place {
    /// The connection is open: if there is a place, that gives it back when it closes.
    fn hand_over(mut self) -> bool {
        self.0.take().is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = self.0.take() {
            let (pusher, app) = *taken;
            pusher.drive(|hub, _| hub.release(app));
        }
    }
}

/// Oldest protocol version a client may speak (H4).
const VERSION_MIN: u64 = 4;

impl Pusher {
    pub(super) async fn admit(self: &Rc<Self>, request: &Request<'_>) -> Session {
        let app = match self.app_of(request) {
            Ok(app) => app,
            Err(refused) => return refused,
        };
        let dotnet = is_dotnet(request.query());
        if !self.hub.borrow().needs_place(app) {
            return Session::Admitted {
                app,
                place: Place::default(),
                dotnet,
            };
        }
        let pending = self.tickets.open();
        let ticket = pending.ticket();
        self.drive(|hub, effects| hub.admit(ticket, app, effects));
        match pending.answer().await {
            Answer::Admitted(true) => Session::Admitted {
                app,
                place: Place(Some(Box::new((Rc::clone(self), app)))),
                dotnet,
            },
            _ => Session::Refused(match self.hub.borrow().apps().get(app).app.quota_close {
                QuotaClose::OverQuota => Code::OverQuota,
                QuotaClose::OverCapacity => Code::OverCapacity,
            }), // Q4
        }
    }

    /// The checks of section 1.3 that need no other shard, in their order.
    fn app_of(&self, request: &Request<'_>) -> Result<AppSlot, Session> {
        version(request.query()).map_err(Session::Refused)?;
        let key = request.param("key").unwrap_or_default();
        let unknown = |key: &str| Session::UnknownKey(Box::new(key.to_owned()));
        let key = query::decode_path(key).ok_or_else(|| unknown(key))?;
        let hub = self.hub.borrow();
        let app = hub.apps().by_key(&key);
        let app = app.ok_or_else(|| unknown(&key))?;
        let values = &hub.apps().get(app).app;
        if !values.enabled {
            return Err(Session::Refused(Code::AppDisabled));
        }
        if values.tls_only && !request.is_tls() {
            return Err(Session::Refused(Code::TlsOnly)); // H7
        }
        if !origin::is_allowed(&values.allowed_origins, request.header("origin")) {
            return Err(Session::Origin);
        }
        Ok(app)
    }

    /// Greets an admitted client.
    pub(super) fn open(&self, client: ClientId, app: AppSlot, place: Place, dotnet: bool) {
        if !self.hub.borrow().apps().get(app).app.enabled {
            // A reload has ended its app since the handshake.
            self.endpoint.close_with(client, Code::AppDisabled);
            return;
        }
        let counted = place.hand_over();
        let shard = self.endpoint.shard();
        let socket_id = SocketId::new(shard, rand::random(), rand::random());
        let timeout_s = self.drive(|hub, effects| {
            hub.open(client, app, socket_id, counted, effects);
            if dotnet {
                hub.tell_internal_errors(client);
            }
            hub.apps().get(app).app.activity_timeout_s
        });
        tracing::debug!(?client, %socket_id, "connected");
        self.note_client(client, app, RowKind::Connected, "");
        let idle_ms = u64::from(timeout_s) * 1000 + self.limits.get().activity_grace_ms;
        self.endpoint.set_idle(client, idle_ms); // W15
        let mut text = Vec::new();
        event::connection_established(socket_id, timeout_s, &mut text);
        let greeting = Frame::text(&text);
        self.tallies.count(app, |tally| {
            tally.opened += 1;
            tally.sent.add(1, greeting.bytes().len());
        });
        self.log_out(client, &greeting);
        let _ = self.endpoint.push(client, greeting);
    }
}

/// H4: missing counts as 7, 4 and above are served alike, the rest is refused.
fn version(query: &str) -> Result<(), Code> {
    let Some((_, value)) =
        query::parse(query, Plus::Literal).find(|(key, _)| **key == *b"protocol")
    else {
        return Ok(());
    };
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Code::InvalidVersion);
    }
    let number = std::str::from_utf8(&value)
        .ok()
        .and_then(|text| text.parse().ok());
    if number.unwrap_or(u64::MAX) < VERSION_MIN {
        Err(Code::UnsupportedVersion)
    } else {
        Ok(())
    }
}

/// Whether `client` says that this is the .NET client (section 3.2).
fn is_dotnet(query: &str) -> bool {
    let mut pairs = query::parse(query, Plus::Literal);
    let client = pairs.find(|(key, _)| **key == *b"client");
    client.is_some_and(|(_, value)| value.starts_with(b"pusher-dotnet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        // H3, H4
        for query in [
            "",
            "protocol=7&client=js&version=8.6.0&flash=false",
            "client=java-client&protocol=5",
            "protocol=4",
            "protocol=99",
            "protocol=99999999999999999999999",
            "protocol=7&protocol=nope",
        ] {
            assert_eq!(version(query), Ok(()), "{query}");
        }
        for query in ["protocol=0", "protocol=1", "protocol=3"] {
            assert_eq!(version(query), Err(Code::UnsupportedVersion), "{query}");
        }
        for query in [
            "protocol=",
            "protocol=x",
            "protocol=-7",
            "protocol=7.0",
            "protocol",
        ] {
            assert_eq!(version(query), Err(Code::InvalidVersion), "{query}");
        }
    }
}
