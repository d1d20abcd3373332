//! Whether this server lives and should be sent traffic, told on the port of the clients: where
//! soketi (`/ready`, `/accept-traffic`), Reverb (`/up`) and Sockudo (`/up/ID`, `/live`) tell it.

use super::route::error;
use crate::crossing::admission::Level;
use crate::http::Response;
use crate::http::health::{plain, up};
use crate::http::query;
use crate::pusher::Pusher;

impl Pusher {
    /// The answer, if the path is one of these. `path` is without what the application is nested
    /// in; behind the prefix of its paths they are told as well.
    pub(super) fn health(&self, method: &str, path: &str) -> Option<Response> {
        let path = match path.strip_prefix(&*self.options.path_prefix) {
            Some(inner) if inner.starts_with('/') => inner,
            _ => path,
        };
        let is_ready = !self.is_stopping();
        let response = match path {
            "/live" => plain(true),
            "/ready" => plain(is_ready),
            "/accept-traffic" => plain(is_ready && self.endpoint.memory() == Level::Free),
            "/up" => up(is_ready),
            _ => match self.is_served(path.strip_prefix("/up/")?) {
                true => up(is_ready),
                false => error(404, "Unknown app"),
            },
        };
        match method {
            "GET" | "HEAD" => Some(response),
            _ => Some(error(405, "Method not allowed").with_header("Allow", "GET, HEAD")),
        }
    }

    fn is_served(&self, id: &str) -> bool {
        let hub = self.hub.borrow();
        let found = query::decode_path(id).and_then(|id| hub.apps().by_id(&id));
        found.is_some_and(|app| hub.apps().get(app).app.enabled)
    }
}
