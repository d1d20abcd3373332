//! Section 8.2: of any two things that are wrong with a request, the first of the table is told.

use crate::support::http::Http;
use crate::support::server::{NOW, TestServer};
use crate::support::sign::Keys;
use md5::{Digest, Md5};
use serde_json::json;
use shardcast::app::App;
use shardcast::protocol::auth::Signer;

/// What can be wrong, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Path,
    Method,
    App,
    Key,
    Version,
    Time,
    Md5,
    Signature,
    Disabled,
    Rate,
    Body,
    Name,
    Size,
}

use Fault as F;

const ALL: [Fault; 13] = [
    F::Path,
    F::Method,
    F::App,
    F::Key,
    F::Version,
    F::Time,
    F::Md5,
    F::Signature,
    F::Disabled,
    F::Rate,
    F::Body,
    F::Name,
    F::Size,
];

impl Fault {
    /// How it is answered: the status, and a word of the text.
    fn answer(self) -> (u16, &'static str) {
        match self {
            F::Path => (404, "Not found"),
            F::Method => (405, "Method"),
            F::App => (404, "Unknown app"),
            F::Key => (401, "auth_key"),
            F::Version => (401, "Version"),
            F::Time => (401, "Timestamp"),
            F::Md5 => (401, "body_md5"),
            F::Signature => (401, "signature"),
            F::Disabled => (403, "not enabled"),
            F::Rate => (429, "rate limit"),
            F::Body => (400, "JSON object"),
            F::Name => (400, "name parameter"),
            F::Size => (413, "exceeds"),
        }
    }
}

/// Four apps: enabled or not, with a rate of one event a second or without.
fn apps() -> Vec<App> {
    let app = |id: &str, enabled, rate| App {
        enabled,
        backend_events_per_second: rate,
        ..App::new(id, format!("key-{id}"), format!("secret-{id}"))
    };
    vec![
        app("10", true, None),
        app("11", true, Some(1)),
        app("20", false, None),
        app("21", false, Some(1)),
    ]
}

fn app_of(faults: &[Fault]) -> App {
    let enabled = !faults.contains(&F::Disabled);
    let rated = faults.contains(&F::Rate);
    let mut apps = apps().into_iter();
    apps.find(|app| app.enabled == enabled && app.backend_events_per_second.is_some() == rated)
        .expect("there is one for each case")
}

/// A request in which exactly this is wrong.
fn request(faults: &[Fault]) -> (&'static str, String, Vec<u8>) {
    let has = |fault| faults.contains(&fault);
    let app = app_of(faults);
    let mut event = json!({"name": "e", "channel": "a", "data": "d"});
    if has(F::Name) {
        event["name"] = "".into();
    }
    if has(F::Size) {
        event["data"] = "d".repeat(10_241).into();
    }
    let body = match has(F::Body) {
        true => json!([event]),
        false => event,
    };
    let body = body.to_string().into_bytes();
    let method = if has(F::Method) { "PUT" } else { "POST" };
    let id = if has(F::App) { "nobody" } else { &app.id };
    let path = if has(F::Path) { "event" } else { "events" };
    let path = format!("/apps/{id}/{path}");
    let key = if has(F::Key) { "nobody" } else { &app.key };
    let version = if has(F::Version) { "2.0" } else { "1.0" };
    let time = if has(F::Time) { NOW - 601 } else { NOW };
    let md5 = match has(F::Md5) {
        true => "0".repeat(32),
        false => hex::encode(Md5::digest(&body)),
    };
    let query =
        format!("auth_key={key}&auth_timestamp={time}&auth_version={version}&body_md5={md5}");
    let secret = match has(F::Signature) {
        true => "another",
        false => app.secret.expose(),
    };
    let text = format!("{method}\n{path}\n{query}");
    let signature = Signer::new(secret).sign(&[text.as_bytes()]);
    (
        method,
        format!("{path}?{query}&auth_signature={signature}"),
        body,
    )
}

/// Uses up the second's only event.
fn exhaust(http: &mut Http, app: &App) {
    let body = br#"{"name":"e","channel":"a","data":"d"}"#;
    let path = format!("/apps/{}/events", app.id);
    let target = Keys::of(app).target("POST", &path, &[], body);
    http.ask("POST", &target, body);
}

#[test]
fn a_request_in_which_nothing_is_wrong_is_served() {
    let server = TestServer::with_apps(apps());
    let (method, target, body) = request(&[]);
    let response = Http::connect(server.address()).ask(method, &target, &body);
    assert_eq!(response.status, 200, "{}", response.text());
}

#[test]
fn of_two_faults_the_first_is_told() {
    let server = TestServer::with_apps(apps());
    let mut http = Http::connect(server.address());
    for (at, first) in ALL.into_iter().enumerate() {
        for second in ALL.into_iter().skip(at) {
            let faults = [first, second];
            let (method, target, body) = request(&faults);
            if faults.contains(&F::Rate) {
                exhaust(&mut http, &app_of(&faults));
            }
            let response = http.ask(method, &target, &body);
            let (status, word) = first.answer();
            assert_eq!(response.status, status, "{faults:?}: {}", response.text());
            assert!(
                response.error().contains(word),
                "{faults:?}: {}",
                response.text()
            );
            assert!(
                !response.closes(),
                "{faults:?}: a refusal keeps the connection"
            );
        }
    }
}

#[test]
fn what_the_transport_refuses_comes_before_all() {
    // A body above the limit is not waited for, whatever it was for.
    let server = TestServer::with_apps(apps());
    for faults in [
        &[][..],
        &[F::Path],
        &[F::Method],
        &[F::App],
        &[F::Signature],
    ] {
        let (method, target, _) = request(faults);
        let mut http = Http::connect(server.address());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            (1 << 20) + 1
        );
        http.wire.send(head);
        http.expect_refusal(413);
    }
}
