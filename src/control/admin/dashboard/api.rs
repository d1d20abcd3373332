//! What the page asks for, as JSON: `/dashboard/api/...`.

use super::super::guard::{self, Entry, entry, error};
use super::super::plan::Desk;
use super::super::serve::{Answer, Asked, pause};
use super::assets::{file, guarded};
use super::pages::Page;
use crate::control::CallError;
use crate::crossing::Call;
use crate::crossing::operator::{Inquiry, RowKind, Wish};
use crate::http::query;
use crate::http::{Head, Response};
use crate::id::{ShardId, SocketId};
use crate::limits::MEASURE_TIMEOUT_MS;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Answers a request; `path` is what follows `/dashboard`.
pub(in super::super) async fn answer(asked: &Asked<'_>, path: &str, desk: &Desk) -> Answer {
    match route(asked, path, desk).await {
        Answer::Whole(response) => Answer::Whole(guarded(response)),
        page => page,
    }
}

async fn route(asked: &Asked<'_>, path: &str, desk: &Desk) -> Answer {
    let head = &asked.head;
    if let Err(response) = guard::same_origin(head, asked.peer, desk) {
        return Answer::Whole(*response);
    }
    let reads = matches!(head.method, "GET" | "HEAD");
    let response = match path {
        "/" => Response::empty(308).with_header("Location", "../dashboard"),
        "/login" | "/logout" | "/api/event" | "/api/disconnect" if head.method != "POST" => {
            error(405, "Method not allowed").with_header("Allow", "POST")
        }
        "/login" => match body::<Login>(asked) {
            Ok(Login { token }) => guard::log_in(&token, asked.peer, desk),
            Err(response) => *response,
        },
        "/logout" => guard::log_out(head, desk),
        "/api/event" | "/api/disconnect" => match entry(head, asked.peer, desk) {
            Ok(_) => act(asked, path, desk).await,
            Err(refusal) => *refusal,
        },
        _ if !reads => error(405, "Method not allowed").with_header("Allow", "GET, HEAD"),
        _ => match file(path) {
            Some(file) => file,
            None => match entry(head, asked.peer, desk) {
                Ok(entry) => return read(head, path, entry, desk).await,
                Err(refusal) => *refusal,
            },
        },
    };
    Answer::Whole(response)
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// What changes something.
async fn act(asked: &Asked<'_>, path: &str, desk: &Desk) -> Response {
    if path == "/api/event" {
        return match body::<Publish>(asked) {
            Ok(publish) => publish.carry_out(desk).await,
            Err(response) => *response,
        };
    }
    match body::<Disconnect>(asked) {
        Ok(disconnect) => disconnect.carry_out(desk).await,
        Err(response) => *response,
    }
}

/// What only tells something.
async fn read(head: &Head<'_>, path: &str, entry: Entry, desk: &Desk) -> Answer {
    let of = |name: &str| parameter(head.query, name);
    let app = of("app").unwrap_or_default();
    let history = &desk.dashboard.history;
    if path == "/api/state" {
        return Answer::Whole(state(desk));
    }
    let is_known = desk.dashboard.serves(&app);
    if path == "/api/stream" && (is_known || app.is_empty()) {
        if head.method == "HEAD" {
            return Answer::Page(Box::new(Page::of_head())); // nothing follows: it takes no place
        }
        let app = (!app.is_empty()).then_some(&*app);
        return match desk.dashboard.pages.open(app, entry) {
            Some(page) => Answer::Page(Box::new(page)),
            None => Answer::Whole(
                error(503, "As many pages are open as may be").with_number("Retry-After", 5),
            ),
        };
    }
    Answer::Whole(match path {
        "/api/history" | "/api/channels" | "/api/channel" | "/api/stream" if !is_known => {
            error(404, "Unknown app")
        }
        "/api/history" => {
            let hour = history.borrow().hour(&app);
            Response::json_of(&hour).expect("numbers are JSON")
        }
        "/api/channels" => {
            let prefix = of("prefix").unwrap_or_default();
            inquire(desk, &app, Wish::Channels(prefix.into())).await
        }
        "/api/channel" => {
            let name = of("name").unwrap_or_default();
            inquire(desk, &app, Wish::Channel(name.into())).await
        }
        _ => error(404, "Not found"),
    })
}

/// What does not change from second to second.
fn state(desk: &Desk) -> Response {
    let known = &desk.dashboard.known;
    let state = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "apps": &*known.ids(),
        "generation": known.generation(),
        "shards": desk.plan.calls.shards(),
        "port": desk.plan.port,
        "has_token": desk.plan.token.is_some(),
        "kinds": RowKind::ALL.map(RowKind::name),
    });
    Response::json(200, state.to_string().into_bytes())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query::parse_text(query);
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// An event for a channel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    app: String,
    channel: String,
    event: String,
    /// As it was typed.
    data: String,
}

impl Publish {
    async fn carry_out(self, desk: &Desk) -> Response {
        let body = json!({"name": self.event, "channel": self.channel, "data": self.data});
        inquire(
            desk,
            &self.app,
            Wish::Publish(body.to_string().into_bytes()),
        )
        .await
    }
}

/// Whose connections are to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disconnect {
    app: String,
    socket_id: Option<String>,
    user_id: Option<String>,
}

impl Disconnect {
    async fn carry_out(self, desk: &Desk) -> Response {
        let wish = match (self.socket_id, self.user_id) {
            (Some(socket_id), None) => match SocketId::parse(&socket_id) {
                Ok(Some(socket_id)) => Wish::Disconnect(socket_id),
                _ => return error(400, "A socket id is two numbers with a dot between"),
            },
            (None, Some(user)) if !user.is_empty() => Wish::Terminate(user.into()),
            _ => return error(400, "Expected a socket_id or a user_id"),
        };
        inquire(desk, &self.app, wish).await
    }
}

fn body<T: for<'de> Deserialize<'de>>(asked: &Asked<'_>) -> Result<T, Box<Response>> {
    serde_json::from_slice(asked.body)
        .map_err(|reason| Box::new(error(400, &format!("The body makes no sense: {reason}"))))
}

/// Asks the first shard that takes it; it asks the others.
async fn inquire(desk: &Desk, app: &str, wish: Wish) -> Response {
    let calls = &desk.plan.calls;
    let (answer, reply) = flume::bounded(1);
    let inquiry = Inquiry {
        app: app.into(),
        wish,
        answer,
    };
    // Whichever: the homes of the channels do the work.
    let shard = ShardId(rand::random_range(0..calls.shards()));
    match calls.leave(shard, Call::Inquire(inquiry)) {
        Ok(()) => {}
        Err(CallError::TooBig) => return error(413, "The event is too big"),
        Err(_) => return error(503, "The server is busy").with_number("Retry-After", 1),
    }
    let late = async {
        pause(Duration::from_millis(3 * MEASURE_TIMEOUT_MS)).await;
        None
    };
    let answered = async { reply.recv_async().await.ok() };
    match futures_lite::future::or(answered, late).await {
        Some(reply) => Response::json(reply.status, reply.body),
        None => error(503, "No shard has answered in time").with_number("Retry-After", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "app=a%2Fb&prefix=x+y";
        assert_eq!(parameter(query, "app").as_deref(), Some("a/b"));
        assert_eq!(parameter(query, "nope"), None);
    }
}
