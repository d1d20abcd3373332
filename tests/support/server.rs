//! A real server in this process, stopped and asked how it ended when it goes out of scope.

use super::pusher::Client;
use super::rest::Rest;
use shardcast::app::App;
use shardcast::control::webhook::Counts;
use shardcast::server::config::Config;
use shardcast::server::{Builder, Server, ServerError, ServerHandle};
use std::net::SocketAddr;
use std::thread;

/// What the server's wall clock says unless a test brings its own.
pub const NOW: u64 = 1_700_000_000;

/// The app that most tests use: client events on, the rest as it comes.
pub fn app() -> App {
    let mut app = App::new("1001", "app-key", "app-secret");
    app.client_events = true;
    app
}

/// Same, and subscribers are counted: told of it, and in answers to backends.
pub fn counting_app() -> App {
    let mut app = app();
    app.subscription_count = true;
    app
}

/// Two shards on a free port.
pub fn config(apps: impl Into<Vec<App>>) -> Config {
    Config {
        port: 0,
        admin_port: 0,
        shards: Some(2),
        apps: apps.into(),
        ..Config::default()
    }
}

/// A running server. Declared before its clients, it outlives them.
#[derive(Debug)]
pub struct TestServer {
    handle: Option<ServerHandle>,
    address: SocketAddr,
    /// Whether its clients read over the numbers of subscribers.
    skips_counts: bool,
}

impl TestServer {
    /// With [`app`] and the defaults.
    pub fn plain() -> Self {
        Self::with_apps([app()])
    }

    /// With [`counting_app`], for tests of what backends are told: clients do not show the counts
    /// that they hear.
    pub fn counting() -> Self {
        let mut server = Self::with_apps([counting_app()]);
        server.skips_counts = true;
        server
    }

    /// With these apps and the defaults.
    pub fn with_apps(apps: impl Into<Vec<App>>) -> Self {
        Self::start(config(apps))
    }

    /// With a configuration.
    pub fn start(config: Config) -> Self {
        Self::build(Server::builder().config(config).wall_clock(|| NOW))
    }

    /// With everything that a builder has.
    pub fn build(builder: Builder) -> Self {
        Self::of(builder.start().expect("the server starts"))
    }

    /// One that was started.
    pub fn of(handle: ServerHandle) -> Self {
        let address = handle.local_addr();
        Self {
            handle: Some(handle),
            address,
            skips_counts: false,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is counted what becomes of webhooks.
    pub fn webhooks(&self) -> Counts {
        self.handle.as_ref().expect("it runs").webhooks()
    }

    /// A handle of its own.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone().expect("it runs")
    }

    /// Asks it to stop.
    pub fn stop(&self) {
        self.handle.as_ref().expect("it runs").stop();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<(), ServerError> {
        self.handle.take().expect("it runs").wait()
    }

    /// A client of [`app`] on any shard.
    pub fn client(&self) -> Client {
        let client = Client::connect(self.address, "app-key");
        self.told(client)
    }

    /// A client of [`app`] on a certain shard.
    pub fn client_on(&self, shard: u64) -> Client {
        let client = Client::connect_on(self.address, "app-key", shard);
        self.told(client)
    }

    fn told(&self, mut client: Client) -> Client {
        client.skips_counts = self.skips_counts;
        client
    }

    /// Two clients of [`app`], the first on shard 0, the second on shard 1.
    pub fn pair(&self) -> [Client; 2] {
        [self.client_on(0), self.client_on(1)]
    }

    /// A backend of [`app`].
    pub fn rest(&self) -> Rest {
        Rest::connect(self, &app())
    }
}

impl TestServer {
    /// Stops it, unless that was done, and sees that it ends well.
    pub fn end(&mut self) {
        let Some(handle) = self.handle.take() else {
            return;
        };
        handle.stop();
        let ended = handle.wait();
        if !thread::panicking() {
            ended.expect("the server ends when asked, with all of its shards alive");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
    }
}
