//! The server's own program: its log, its list of processes, its limits.

use crate::served::Served;
use crate::support::http::Http;
use crate::support::pusher::{Client, expect_told_and_closed};
use crate::support::sign::Keys;
use crate::support::websocket::Ws;
use crate::{CANARY, expect_none};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

/// Files with secrets; removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("shardcast-secrets-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).expect("temporary folders can be made");
        folder
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("temporary files can be written");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An app by each way in which a file can give a secret, and a webhook that fails.
fn apps(secret_file: &str, webhook_port: u16) -> String {
    format!(
        "rest_clock_s = 0\nwebhook_retry_ms = 100\ndebug = true\n\
         [[apps]]\nid = '1'\nkey = 'k1'\nsecret = 'canary-file'\n\
         [[apps.webhooks]]\nurl = 'http://127.0.0.1:{webhook_port}/canary-path?t=canary-query'\n\
         headers = {{ Authorization = 'canary-header' }}\n\
         [[apps]]\nid = '2'\nkey = 'k2'\nsecret_file = '{secret_file}'\n\
         [[apps]]\nid = '3'\nkey = 'k3'\nsecret_file = 'by-name'\n"
    )
}

/// Good and bad of all that an app's secret is for.
fn drive(served: &Served, keys: &Keys) {
    let mut client = Client::connect(served.address, &keys.key);
    client.subscribe_signed(keys, "private-a");
    client.join(keys, "presence-a", &json!({"user_id": "u"}));
    client.sign_in(keys, "u");
    let wrong = Keys::new(&keys.id, &keys.key, "wrong");
    client.ask_signed(&wrong, "private-b", None);
    client.expect_refused("private-b", "AuthError", 401);
    served.rest(keys).trigger("private-a", "e", "");
    client.expect("e");
    let body = json!({"name": "e", "channel": "private-a", "data": ""});
    let refused = served.rest(&wrong).post("events", &body);
    assert_eq!(refused.status, 401);
    expect_none(refused.text());
}

// R29
#[test]
fn the_program_tells_no_secret_by_log_arguments_or_limits() {
    let folder = Folder::new();
    let file = folder.write("its-own", "canary-of-its-own\n");
    folder.write("by-name", "canary-by-name\n");
    folder.write("SOKETI_DEFAULT_APP_SECRET", "canary-credential\n");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = nobody.local_addr().expect("it is bound").port();
    drop(nobody);
    let text = apps(&file, port);
    let served = Served::start_with("secrets", &text, |command| {
        command
            .env("CREDENTIALS_DIRECTORY", &folder.0)
            .env("SOKETI_DEFAULT_APP_ID", "4")
            .env("SOKETI_DEFAULT_APP_KEY", "k4")
    });
    for (id, secret) in [
        ("1", "canary-file"),
        ("2", "canary-of-its-own"),
        ("3", "canary-by-name"),
        ("4", "canary-credential"),
    ] {
        drive(&served, &Keys::new(id, &format!("k{id}"), secret));
    }
    expect_told_and_closed(&mut Ws::open(served.address, "/app/none?protocol=7"), 4001);
    assert_eq!(
        Http::connect(served.address).ask("GET", "/", b"").status,
        200
    );
    let mut log = served.log_to(&["a webhook failed"]);
    folder.write("its-own", "canary-other\n");
    log.extend(served.reloaded(&(text.clone() + "client_events = true\n")));
    assert!(log.concat().contains("app 2: secret: changed"), "{log:#?}");
    drive(&served, &Keys::new("2", "k2", "canary-other"));
    for broken in [
        "secret = canary",
        "secret = 'canary'",
        "webhooks = 'canary'",
    ] {
        let lines = served.reload(&(text.clone() + broken));
        assert!(lines.concat().contains("not reloaded"), "{lines:#?}");
        log.extend(lines);
    }
    let about =
        |what| fs::read_to_string(format!("/proc/{}/{what}", served.pid())).expect("it runs");
    assert!(about("cmdline").contains("--config"));
    expect_none(&about("cmdline"));
    let limits = about("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert_eq!(
        core.expect("it has one").split_whitespace().nth(4),
        Some("0"),
        "{limits}"
    );
    served.signal(Signal::TERM);
    let (status, rest) = served.wait();
    assert_eq!(status.code(), Some(0));
    log.extend(rest);
    let log = log.join("\n");
    for said in ["connected", "subscribe", "answered", "stopping"] {
        assert!(log.contains(said), "{said} is not in the log: {log}");
    }
    assert!(text.contains(CANARY));
    expect_none(&log);
}
