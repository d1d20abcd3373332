//! `GET /`: a page to try the demo app with, or a word that the server is there.

use super::route::error;
use crate::app::App;
use crate::http::Response;
use crate::id::AppSlot;
use crate::pusher::Pusher;

const PAGE: &str = include_str!("../demo.html");

impl Pusher {
    /// `nested_in` is the part of the request's path that the application is nested in.
    pub(super) fn front_page(&self, method: &str, nested_in: &str) -> Response {
        if !matches!(method, "GET" | "HEAD") {
            return error(405, "Method not allowed").with_header("Allow", "GET");
        }
        let hub = self.hub.borrow();
        let app = &hub.apps().get(AppSlot(0)).app;
        // A reload may have brought other apps instead.
        if !self.options.demo || !app.enabled {
            return Response::text(200, "OK\n");
        }
        Response::new(
            200,
            "text/html; charset=utf-8",
            page(
                app,
                &format!("{}{}", attribute(nested_in), self.options.path_prefix),
            ),
        )
    }
}

/// The page for one app, which is served behind a prefix. The demo credentials are public: they
/// stand in the README.
fn page(app: &App, prefix: &str) -> String {
    PAGE.replace("{{KEY}}", &app.key)
        .replace("{{ID}}", &app.id)
        .replace("{{SECRET}}", app.secret.expose())
        .replace("{{PREFIX}}", prefix) // the last: what a client sent is not filled in
}

/// What a client has sent, as part of an attribute of the page.
fn attribute(sent: &str) -> String {
    sent.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_knows_its_app() {
        let page = page(&App::new("1001", "app-key", "app-secret"), "/live");
        for text in ["1001", "app-key", "app-secret", "data-prefix=\"/live\""] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("{{"), "every place is filled in");
    }

    #[test]
    fn a_path_cannot_write_the_page() {
        let sent = attribute("/a\"><script>&lt;");
        assert_eq!(sent, "/a&quot;>&lt;script>&amp;lt;");
    }
}
