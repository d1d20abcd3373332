//! A server with its bystanders, first in quiet, then in trouble; and what has to be as before when
//! the trouble is over.

#![allow(
    clippy::disallowed_types,
    reason = "rows take turns, and each has a thread of its own"
)]

use crate::bystanders::{Bystanders, Seen};
use crate::process::{Process, binary};
use crate::support::http::Http;
use crate::support::machine;
use crate::support::metrics::Values;
use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::sign::{Keys, today};
use rustix::process::setpriority_process;
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
/// Whatever the quiet time says: bystanders that are served as fast as this are served well.
const WELL_SERVED: Duration = Duration::from_millis(500);
/// No event may take longer than this.
const SERVED: Duration = Duration::from_secs(2);
/// What is well for half of all events.
const MOSTLY_WELL_SERVED: Duration = Duration::from_millis(100);
/// How long something may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(20);

/// The priority of those who have what all others leave.
const LAST: i32 = 19;

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
        bystanders.wait(EVENTS);
        let before = Before {
            files: scene.server.open_files(),
            tasks: scene.tasks(),
            memory: scene.server.memory().0,
            at: bystanders.now(),
            paused_ms: machine::paused_ms(),
        };
        thread::scope(|scope| {
            let troubled = scope.spawn(|| {
                // For this thread and those that it starts.
                if !self.has_servers {
                    setpriority_process(None, LAST).unwrap();
                }
                trouble(&scene);
            });
            if let Err(panic) = troubled.join() {
                std::panic::resume_unwind(panic);
            }
        });
        bystanders.wait(EVENTS);
        let seen = bystanders.end();
        self.compare(&scene, &before, &seen);
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

    fn compare(&self, scene: &Scene, before: &Before, seen: &Seen) {
        scene.until("all files are closed", || {
            scene.server.open_files() <= before.files + 1 // of who asks here
        });
        scene.until("all tasks are over", || {
            scene.tasks() <= before.tasks + 1.0 // of who asks here
        });
        let (memory, peak) = scene.server.memory();
        let took = |wanted: fn(Duration, Duration) -> bool| {
            let in_time = seen
                .heard
                .iter()
                .filter(|heard| wanted(heard.at, before.at));
            let mut took: Vec<Duration> = in_time.map(|heard| heard.took).collect();
            took.sort_unstable();
            took
        };
        let (quiet, trouble) = (took(|at, begun| at < begun), took(|at, begun| at >= begun));
        let percent = |took: &[Duration], part: usize| took[took.len() * part / 100];
        let [quiet50, quiet99] = [50, 99].map(|part| percent(&quiet, part));
        let [trouble50, trouble99] = [50, 99].map(|part| percent(&trouble, part));
        let longest = trouble[trouble.len() - 1];
        let paused = Duration::from_millis(machine::paused_ms() - before.paused_ms);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{}: bystanders quiet p50 {quiet50:.1?} p99 {quiet99:.1?}, in trouble p50 \
             {trouble50:.1?} p99 {trouble99:.1?} ({:.1} times) at most {longest:.1?} ({} events; \
             the machine paused for {paused:.1?}); memory {:.1} MiB before, {:.1} after, {:.1} at \
             most",
            self.row,
            trouble99.as_secs_f64() / quiet99.as_secs_f64(),
            trouble.len(),
            mib(before.memory),
            mib(memory),
            mib(peak),
        );
        assert!(
            memory <= before.memory + self.kept,
            "{memory} bytes are in use, {} were",
            before.memory
        );
        if self.judged {
            let half = paused + MOSTLY_WELL_SERVED.max(2 * quiet50);
            let most = paused + WELL_SERVED.max(2 * quiet99);
            let all = paused + SERVED;
            assert!(trouble50 < half, "{trouble50:?}, at most {half:?}");
            assert!(trouble99 < most, "{trouble99:?}, at most {most:?}");
            assert!(longest < all, "{longest:?}, at most {all:?}");
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

/// Lets this process open as many files as it may; connections need two here and there.
pub fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum.or(Some(1 << 16));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}
