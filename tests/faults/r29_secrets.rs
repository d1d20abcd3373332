//! R29: secrets, in everything that the server says: its log at the finest level, its answers, its
//! figures, its arguments.

use crate::scene::{Scene, row};
use crate::shell::{Log, by};
use crate::support::http::{Http, request};
use crate::support::metrics::get;
use crate::support::pusher::Client;
use crate::support::sign::Keys;
use serde_json::json;
use std::fs;
use std::net::TcpListener;

/// Part of every secret.
const CANARY: &str = "canary";
const ROUNDS: usize = 20;

#[track_caller]
fn expect_none(what: &str, text: &str) {
    let told: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(CANARY))
        .take(5)
        .collect();
    assert!(told.is_empty(), "{what}: {told:#?}");
}

/// An app with secrets wherever there may be some, whose webhooks reach nobody.
fn app(nobody: u16) -> String {
    format!(
        "[[apps]]\nid = '2'\nkey = 'k2'\nsecret = 'canary-secret'\nuser_authentication = true\n\
         [[apps.webhooks]]\nurl = 'http://127.0.0.1:{nobody}/canary-path?t=canary-query'\n\
         headers = {{ Authorization = 'Bearer canary-header' }}\n"
    )
}

/// Asks the log for everything, libraries included.
fn log_everything(scene: &Scene) {
    let body = br#"{"level":"trace,shardcast=trace"}"#;
    let fields = ["Content-Type: application/json"];
    let asked = request("POST", "/log-level", &fields, body);
    let answer = Http::connect(scene.server.admin.unwrap()).send(asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Everything that a secret is for, well and badly; gives what was answered, and a token that was
/// shown. What is told in good frames is in the log at this level, as it is asked for.
fn use_secrets(scene: &Scene, keys: &Keys) -> (String, String) {
    let mut answers = String::new();
    let mut client = Client::connect(scene.address(), &keys.key);
    let user = json!({"id": "u", "user_info": {"mail": "told-mail"}}).to_string();
    client.sign_in_with(keys, &user);
    client.subscribe_signed(keys, "private-a");
    client.join(
        keys,
        "presence-a",
        &json!({"user_id": "u", "user_info": {"mail": "told-info"}}),
    );
    let wrong = Keys::new(&keys.id, &keys.key, "canary-wrong").of_today();
    client.ask_signed(&wrong, "private-b", None);
    answers += &format!("{:?}{:?}", client.next(), client.next());
    for text in [
        "canary",
        r#"{"event":"x","data":"canary"}"#,
        r#"{"event":["canary"]}"#,
    ] {
        client.ws.send_text(text);
        answers += &format!("{:?}", client.next());
    }
    for (keys, wanted, data) in [(keys, 200, "told-data"), (&wrong, 401, "canary-data")] {
        let mut backend = scene.backend();
        backend.keys = keys.clone();
        let body = json!({"name": "e", "channel": "private-a", "data": data});
        let answer = backend.post("events", &body);
        assert_eq!(answer.status, wanted, "{}", answer.text());
        answers += answer.text();
        // What is wrong with it is told, not what it says.
        answers += backend
            .post("events", &json!({"name": ["canary"], "channel": 1}))
            .text();
    }
    assert_eq!(client.expect("e").text(), "told-data");
    for bytes in ["canary\r\n\r\n", "GET /?canary HTTP/9\r\n\r\n"] {
        answers += Http::connect(scene.address()).send(bytes).text();
    }
    let token = keys.token(&client.socket_id, "private-a", None);
    (answers, token.rsplit(':').next().unwrap().to_owned())
}

#[test]
fn r29_no_secret_is_told_at_the_finest_level_of_the_log() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let log = Log::new("r29");
    let keys = Keys::new("2", "k2", "canary-secret").of_today();
    let mut tokens = Vec::new();
    row("r29")
        .by(&by(&log.script()))
        .apps(&app(nobody.port()))
        .flag("--debug", true)
        .flag("--webhook-retry-ms", 100)
        .flag("--flap-ms", 1)
        .run(|scene| {
            log_everything(scene);
            for _ in 0..ROUNDS {
                let (answers, token) = use_secrets(scene, &keys);
                expect_none("answers", &answers);
                tokens.push(token);
            }
            let admin = scene.server.admin.unwrap();
            for path in [
                "/metrics",
                "/usage",
                "/ready",
                "/dashboard",
                "/accept-traffic",
            ] {
                expect_none(path, get(admin, path).text());
            }
            let about = |what| fs::read(format!("/proc/{}/{what}", scene.server.pid())).unwrap();
            for what in ["cmdline", "environ"] {
                expect_none(what, &String::from_utf8_lossy(&about(what)));
            }
            // Nor does a crash leave them in a file.
            let limits = String::from_utf8(about("limits")).unwrap();
            let core = limits
                .lines()
                .find(|line| line.starts_with("Max core file size"));
            assert_eq!(core.unwrap().split_whitespace().nth(4), Some("0"));
            scene.until("a webhook has failed", || log.count("a webhook failed") > 0);
        });
    let text = log.text();
    for said in [
        "TRACE",
        "DEBUG",
        "subscribe",
        "sign-in",
        "told-data",
        "stopping",
    ] {
        assert!(text.contains(said), "{said} is not in the log");
    }
    println!("r29: {} lines of log hold no secret", text.lines().count());
    expect_none("the log", &text);
    // A token lets whoever reads it in.
    assert!(tokens.iter().all(|token| !text.contains(token)));
    assert!(!text.contains("panicked"), "{text}");
}
