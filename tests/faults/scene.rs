//! A server with its bystanders, first in quiet, then in trouble; and what has to be as before when
//! the trouble is over.

#![allow(
    clippy::disallowed_types,
    reason = "rows take turns, and each has a thread of its own"
)]

use crate::bystanders::{Bystanders, Seen};
use crate::process::{Process, binary};
use crate::support::http::Http;
use crate::support::machine::{self, CoreTime};
use crate::support::metrics::Values;
use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::sign::{Keys, today};
use crate::waits::Waits;
use rustix::thread::gettid;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The demo app, which is there when a configuration has its own apps, too.
const APP: &str = "[[apps]]\nid = \"1001\"\nkey = \"app-key\"\nsecret = \"app-secret\"\n\
                   client_events = true\n";
/// Events of the bystanders before the trouble, and in it at least.
const EVENTS: usize = 200;
/// Bytes that a server may keep of what it needed in trouble, unless a row says more.
const KEPT: u64 = 32 << 20;
/// A host that gives more of the cores' time than this to other machines makes everybody wait.
const STOLEN: f64 = 0.1;
/// How long something may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(20);

static TURN: Mutex<()> = Mutex::new(());

/// What a row needs.
pub struct Plan {
    row: &'static str,
    command: Vec<OsString>,
    flags: Vec<String>,
    apps: Option<String>,
    kept: u64,
    judged: bool,
    has_servers: bool,
    clock: fn() -> u64,
}

/// A server with two shards and the demo app, in the row of that name.
pub fn row(row: &'static str) -> Plan {
    Plan {
        row,
        command: Vec::new(),
        flags: vec!["--shards".into(), "2".into()],
        apps: None,
        kept: KEPT,
        judged: true,
        has_servers: false,
        clock: today,
    }
}

impl Plan {
    /// One more flag.
    pub fn flag(mut self, name: &str, value: impl ToString) -> Self {
        self.flags.push(format!("{name}={}", value.to_string()));
        self
    }

    /// More apps, as TOML, beside the one of the bystanders.
    pub fn apps(mut self, apps: &str) -> Self {
        self.apps = Some(format!("{APP}{apps}"));
        self
    }

    /// The server is started by way of another program.
    pub fn by(mut self, command: &[&str]) -> Self {
        self.command = command.iter().map(OsString::from).collect();
        self
    }

    /// The server may keep so many bytes more than before.
    pub fn keeps(mut self, bytes: u64) -> Self {
        self.kept = bytes;
        self
    }

    /// Requests are signed by another clock.
    pub fn clock(mut self, clock: fn() -> u64) -> Self {
        self.clock = clock;
        self
    }

    /// The row stops the whole server: how long events take says nothing.
    pub fn standing_still(mut self) -> Self {
        self.judged = false;
        self
    }

    /// The trouble starts servers of its own, which take their turn like the others.
    pub fn with_servers(mut self) -> Self {
        self.has_servers = true;
        self
    }

    /// Starts everything, makes trouble, and sees that nothing of it is left.
    ///
    /// Who makes the trouble takes what the others leave of the machine: who attacks a server does
    /// not have its cores.
    pub fn run(self, trouble: impl FnOnce(&Scene) + Send) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (scene, _config) = self.set_up();
        let bystanders = Bystanders::start(scene.address(), scene.backend());
        let begun = CoreTime::now();
        bystanders.wait(EVENTS);
        let time = CoreTime::now();
        let before = Before {
            time,
            stolen: time.stolen_since(begun),
            files: scene.server.open_files(),
            tasks: scene.tasks(),
            memory: scene.server.memory().0,
            at: bystanders.now(),
            paused_ms: machine::paused_ms(),
        };
        thread::scope(|scope| {
            let troubled = scope.spawn(|| {
                if !self.has_servers {
                    take_what_others_leave();
                }
                trouble(&scene);
            });
            if let Err(panic) = troubled.join() {
                std::panic::resume_unwind(panic);
            }
        });
        bystanders.wait(EVENTS);
        let stolen = CoreTime::now().stolen_since(before.time);
        let seen = bystanders.end();
        self.compare(&scene, &before, &seen, stolen);
        drop(seen.streams);
        let (status, log) = scene.server.stop();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
    }

    fn set_up(&self) -> (Scene, Option<Written>) {
        let mut flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let config = self.apps.as_ref().map(|apps| Written::new(self.row, apps));
        if let Some(config) = &config {
            flags.extend(["--config", config.0.to_str().unwrap()]);
        }
        let mut words = self.command.clone();
        words.push(binary());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let server = Process::start_as(command, &flags);
        let keys = Keys::new("1001", "app-key", "app-secret").by_clock(self.clock);
        (Scene { server, keys }, config)
    }

    /// Whether all is as before, and how long events took; `stolen` is from the trouble's time.
    fn compare(&self, scene: &Scene, before: &Before, seen: &Seen, stolen: f64) {
        scene.until("all files are closed", || {
            scene.server.open_files() <= before.files + 1 // of who asks here
        });
        scene.until("all tasks are over", || {
            scene.tasks() <= before.tasks + 1.0 // of who asks here
        });
        let (memory, peak) = scene.server.memory();
        let waits = Waits::new(&seen.heard, before.at);
        let paused = Duration::from_millis(machine::paused_ms() - before.paused_ms);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{}: {waits}; stolen {:.0} and {:.0} %, paused {paused:.1?}; memory {:.1} MiB before, \
             {:.1} after, {:.1} at most",
            self.row,
            before.stolen * 100.0,
            stolen * 100.0,
            mib(before.memory),
            mib(memory),
            mib(peak),
        );
        assert!(
            memory <= before.memory + self.kept,
            "{memory} bytes are in use, {} were",
            before.memory
        );
        if self.judged && stolen < STOLEN {
            waits.expect_in_time(paused);
        }
    }
}

/// What has to come back.
struct Before {
    files: usize,
    tasks: f64,
    memory: u64,
    at: Duration,
    paused_ms: u64,
    /// Of the cores.
    time: CoreTime,
    /// In the quiet time.
    stolen: f64,
}

/// A configuration file that is there for one row.
struct Written(PathBuf);

impl Written {
    fn new(row: &str, text: &str) -> Self {
        let name = format!("shardcast-{row}-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The server while there is trouble.
pub struct Scene {
    pub server: Process,
    /// Of the demo app.
    pub keys: Keys,
}

impl Scene {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// One more client of the demo app.
    pub fn client(&self) -> Client {
        Client::connect(self.address(), "app-key")
    }

    /// One more backend of the demo app.
    pub fn backend(&self) -> Rest {
        Rest {
            keys: self.keys.clone(),
            http: Http::connect(self.address()),
        }
    }

    /// Tasks of the shards that are not over.
    fn tasks(&self) -> f64 {
        let admin = self.server.admin.expect("it tells where its admin port is");
        Values::of(admin).sum("shard_tasks", &[])
    }

    /// Waits until something is so; the server is asked for something else meanwhile.
    #[track_caller]
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        let mut http = Http::connect(self.address());
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "not so: {what}");
            assert_eq!(http.ask("GET", "/", b"").status, 200);
        }
    }

    /// So many clients of one channel, connected by several threads.
    pub fn crowd(&self, count: usize, channel: &str) -> Vec<Client> {
        const THREADS: usize = 4;
        let part = || {
            let connected = (0..count / THREADS).map(|_| {
                let mut client = self.client();
                client.subscribe(channel);
                client
            });
            connected.collect::<Vec<Client>>()
        };
        let parts = thread::scope(|scope| {
            let threads = [(); THREADS].map(|()| scope.spawn(part));
            threads.map(|thread| thread.join().unwrap())
        });
        parts.into_iter().flatten().collect()
    }

    /// Bytes of memory that are in use now, over those at the start of `before`.
    pub fn growth(&self, before: u64) -> u64 {
        self.server.memory().0.saturating_sub(before)
    }
}

/// This thread, and those that it starts, run only where nobody else wants to, and stop as soon as
/// somebody does: at a low priority alone they would keep a core for some milliseconds each time.
fn take_what_others_leave() {
    let own = gettid().as_raw_nonzero().to_string();
    let mut command = Command::new("chrt");
    let status = command.args(["--idle", "--pid", "0", &own]).status();
    assert!(status.expect("chrt of util-linux").success());
}

/// Lets this process open as many files as it may; connections need two here and there.
pub fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum.or(Some(1 << 16));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}
