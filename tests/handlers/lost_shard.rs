//! A shard that panics outside of any connection is lost, and takes the process with it.
//!
//! No callback can do that: the server catches what panics in one. A task that a handler leaves on
//! the shard's executor can. The server runs in a child process, which is this test again.

use crate::chat::{Chat, Shared};
use crate::support::server::config;
use crate::support::websocket::Ws;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result};
use shardcast::server::{Server, ServerError};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

/// Set in the child.
const CHILD: &str = "SHARDCAST_TEST_LOSES_A_SHARD";
const NAME: &str = "lost_shard::a_lost_shard_ends_the_process";

/// Leaves a task on its shard that panics when a client says so.
struct Fuse {
    endpoint: Endpoint,
    light: Sender<()>,
    burns: Receiver<()>,
}

impl Fuse {
    fn new(endpoint: Endpoint) -> Self {
        let (light, burns) = bounded(1);
        Self {
            endpoint,
            light,
            burns,
        }
    }
}

impl Handler for Fuse {
    type Session = ();

    async fn on_start(&self, _: &Endpoint) -> Result {
        let burns = self.burns.clone();
        let task = async move {
            if burns.recv_async().await.is_ok() {
                panic!("a task of the shard broke");
            }
        };
        glommio::spawn_local(task).detach();
        Ok(())
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(self.light.try_send(())?)
    }
}

/// The child: serves until a shard is lost, and exits as the error says.
fn serve_until_lost() {
    let (log, _noted) = bounded(100);
    let shared = Shared {
        log,
        offered: bounded(1),
        release: bounded(1),
    };
    let builder = Server::builder().config(config([])).routes(move |router| {
        router.mount("/fuse", Fuse::new);
        router.mount("/chat/{name}", |endpoint| {
            Chat::new(endpoint, shared.clone())
        });
    });
    let server = builder.start().expect("the server starts");
    println!("\nlistening {}", server.local_addr());
    let error = server.wait().expect_err("a shard was lost");
    assert!(matches!(error, ServerError::Shard(_)), "{error:?}");
    eprintln!("told: {error}");
    #[expect(
        clippy::disallowed_methods,
        reason = "what a program does with this error"
    )]
    std::process::exit(error.exit_code().into());
}

/// Ends the child when the test fails before it has ended by itself.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it has ended already when all went well
        let _ = self.0.wait();
    }
}

/// Reads lines until the child tells where it listens.
fn address_of(child: &mut Child) -> SocketAddr {
    let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let mut lines = stdout.lines().map(|line| line.expect("lines are text"));
    let address = lines.find_map(|line| line.strip_prefix("listening ")?.parse().ok());
    // The rest of its output is read by nobody, which its exit does not wait for.
    address.expect("the child tells where it listens")
}

#[test]
fn a_lost_shard_ends_the_process() {
    // No zombie: M1, R32
    if std::env::var_os(CHILD).is_some() {
        return serve_until_lost();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Ended(child.expect("this program runs again"));
    let address = address_of(&mut child.0);
    let open = |target: &str| {
        let mut ws = Ws::open(address, target);
        let shard = ws.expect_text();
        (ws, shard)
    };
    let mut bystanders: Vec<(Ws, String)> = (0..20).map(|_| open("/chat/x")).collect();
    for shard in ["shard 0", "shard 1"] {
        assert!(bystanders.iter().any(|(_, on)| on == shard), "{shard}");
    }
    let (mut lighter, on) = open("/fuse");
    lighter.send_text("now");
    let status = child.0.wait().expect("it ends");
    assert_eq!(status.code(), Some(70), "{status}");
    // Nobody is left hanging on a socket that is nobody's.
    assert!(lighter.wire.ends_somehow());
    for (ws, _) in &mut bystanders {
        assert!(ws.wire.ends_somehow());
    }
    assert!(TcpStream::connect(address).is_err());
    let mut stderr = String::new();
    let mut pipe = child.0.stderr.take().expect("it is a pipe");
    pipe.read_to_string(&mut stderr).expect("errors are text");
    let told = stderr.lines().find(|line| line.starts_with("told: "));
    let told = told.unwrap_or_else(|| panic!("no word in {stderr}"));
    assert!(told.contains(&format!("shard {on} is lost")), "{told}");
    assert!(stderr.contains("a task of the shard broke"), "{stderr}");
}
