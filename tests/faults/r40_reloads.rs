//! R40: configurations that are read again under load, every other one of them broken.

use crate::scene::{Scene, row};
use crate::shell::{Log, by};
use crate::support::http::Http;
use crate::support::pusher::Client;
use crate::support::sign::Keys;
use crate::support::websocket::{Incoming, Ws};
use crate::support::wire::PATIENCE;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const RELOADS: usize = 100;
const STEADY: &str = "[[apps]]\nid = '1001'\nkey = 'app-key'\nsecret = 'app-secret'\n\
                      client_events = true\n";
const PASSING: &str = "[[apps]]\nid = '2'\nkey = 'k2'\nsecret = 'canary-two'\n";

/// A file that may be anything; gone when it is dropped.
struct File(PathBuf);

impl File {
    fn new(text: &[u8]) -> Self {
        let name = format!("shardcast-r40-own-{}.toml", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    /// In one step, as tools of operators do.
    fn write(&self, text: &[u8]) {
        let new = self.0.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &self.0).unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What an operator may write by mistake. Each begins with a limit that would refuse everybody, so
/// that half of a file that is put into force would be seen.
fn broken(number: usize) -> Vec<u8> {
    let text = match number % 6 {
        0 => format!("{STEADY}key = 'twice'\n"),
        1 => format!("{STEADY}{PASSING}{PASSING}"), // the same app twice
        2 => format!("{STEADY}[[apps]]\nid = '3'\n"),
        3 => STEADY[..STEADY.len() / 2].to_owned(),
        4 => format!("{STEADY}no_such_setting = 1\n"),
        _ => format!("{STEADY}\u{0}"),
    };
    let mut bytes = format!("max_connections = 1\n{text}").into_bytes();
    if number % 6 == 5 {
        bytes.push(0xff); // no UTF-8
    }
    bytes
}

/// Has it read what is there now; says whether it took it.
fn reload(scene: &Scene, log: &Log) -> bool {
    let counts = || ["reloaded the configuration", "not reloaded"].map(|it| log.count(it));
    let (before, start) = (counts(), Instant::now());
    scene.server.signal(Signal::HUP);
    loop {
        let now = counts();
        if now != before {
            return now[0] > before[0];
        }
        assert!(start.elapsed() < PATIENCE, "nothing is said of it");
    }
}

/// The app that comes and goes is there, with its client, or that one is told that it went.
fn expect_passing(scene: &Scene, is_there: bool, client: &mut Option<Client>) {
    if is_there {
        client
            .get_or_insert_with(|| Client::connect(scene.address(), "k2"))
            .expect_quiet();
        return;
    }
    if let Some(mut client) = client.take() {
        client.expect_closed(4003);
    }
    let mut stranger = Ws::open(scene.address(), "/app/k2?protocol=7");
    assert!(stranger.expect_text().contains("4001"));
    assert!(matches!(stranger.next(), Incoming::Close(Some((4001, _)))));
}

#[test]
fn r40_broken_configurations_change_nothing_and_good_ones_drop_nobody() {
    let (file, log) = (File::new(STEADY.as_bytes()), Log::new("r40"));
    row("r40")
        .by(&by(&log.script()))
        .flag("--config", file.path().display())
        .run(|scene| {
            let (mut is_there, mut passing) = (false, None);
            for number in 0..RELOADS {
                match number % 2 {
                    0 => {
                        file.write(&broken(number / 2));
                        assert!(!reload(scene, &log), "{number}: it took a broken one");
                    }
                    _ => {
                        is_there = !is_there;
                        let limit = if is_there {
                            "outbox_bytes = 2000000\n"
                        } else {
                            ""
                        };
                        let app = if is_there { PASSING } else { "" };
                        file.write(format!("{limit}{STEADY}{app}").as_bytes());
                        assert!(reload(scene, &log), "{number}: it refused a good one");
                    }
                }
                expect_passing(scene, is_there, &mut passing);
                scene.client().expect_quiet();
            }
            // What is in force can be seen, and is the last good one.
            let keys = Keys::new("2", "k2", "canary-two").of_today();
            let target = keys.target("GET", "/apps/2/channels", &[], b"");
            let answer = Http::connect(scene.address()).ask("GET", &target, b"");
            assert_eq!(answer.status, 404);
        });
    let text = log.text();
    assert!(
        text.contains("app 2: added") && text.contains("app 2: removed"),
        "{text}"
    );
    assert!(
        !text.contains("canary") && !text.contains("panicked"),
        "{text}"
    );
}
