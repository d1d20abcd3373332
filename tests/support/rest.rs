//! A backend: one connection to the REST API that signs what it asks.

use super::http::{Http, Response};
use super::server::TestServer;
use super::sign::Keys;
use super::wire::PATIENCE;
use serde_json::{Value, json};
use shardcast::app::App;
use std::time::Instant;

/// One app's backend.
#[derive(Debug)]
pub struct Rest {
    pub keys: Keys,
    pub http: Http,
}

impl Rest {
    /// Connects as the backend of an app.
    pub fn connect(server: &TestServer, app: &App) -> Self {
        Self {
            keys: Keys::of(app),
            http: Http::connect(server.address()),
        }
    }

    /// `POST /apps/ID/...` with a JSON body.
    pub fn post(&mut self, path: &str, body: &Value) -> Response {
        let path = format!("/apps/{}/{path}", self.keys.id);
        let body = body.to_string().into_bytes();
        let target = self.keys.target("POST", &path, &[], &body);
        self.http.ask("POST", &target, &body)
    }

    /// `GET /apps/ID/...`.
    pub fn get(&mut self, path: &str, parameters: &[(&str, &str)]) -> Response {
        let path = format!("/apps/{}/{path}", self.keys.id);
        let target = self.keys.target("GET", &path, parameters, b"");
        self.http.ask("GET", &target, b"")
    }

    /// Same, and the answer is a success.
    pub fn get_json(&mut self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let response = self.get(path, parameters);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    /// Asks again and again until the answer is this one: counts reach a channel's home at the end
    /// of a turn, which may be after the client was answered.
    #[track_caller]
    pub fn expect_soon(&mut self, path: &str, parameters: &[(&str, &str)], wanted: &Value) {
        let start = Instant::now();
        loop {
            let got = self.get_json(path, parameters);
            if got == *wanted {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{got} stays, {wanted} was expected"
            );
        }
    }

    /// Publishes one event to one channel.
    pub fn trigger(&mut self, channel: &str, name: &str, data: &str) {
        self.publish(&json!({"name": name, "channel": channel, "data": data}));
    }

    /// Publishes what a body says, and expects the plain success (R9, Q25).
    pub fn publish(&mut self, body: &Value) {
        let response = self.post("events", body);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json(), json!({}));
    }
}
