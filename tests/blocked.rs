//! A handler that never comes back, in a program as an operator runs it: the watchdog ends that,
//! and says what it was; without it, a supervisor finds out.
//!
//! The program is this one again, as a child process; so it has no test harness, which would read
//! the server's flags as its own.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
#[allow(dead_code, reason = "the tests of a supervisor use the rest")]
#[path = "supervisor/socket.rs"]
mod socket;
mod support;

use process::Process;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::server::Program;
use socket::Supervisor;
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::time::Duration;
use support::websocket::Ws;
use support::wire::on_shard;

/// Set in the child.
const CHILD: &str = "BLOCKED_TEST_IS_CHILD";

struct Blocks;

impl Handler for Blocks {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&format!("{:?}", client.id()))?)
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        loop {
            std::thread::park();
        }
    }
}

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        let program = Program::new().routes(|router| router.mount("/blocks/{id}", |_| Blocks));
        return program.run();
    }
    for shard in [0, 1] {
        a_blocked_shard_ends_the_program(shard);
        println!("a blocked shard {shard} ended the program");
        a_supervisor_hears_no_more_of_a_blocked_shard(shard);
        println!("a supervisor heard no more of a blocked shard {shard}");
    }
    ExitCode::SUCCESS
}

fn a_blocked_shard_ends_the_program(shard: u16) {
    let supervisor = Supervisor::new("lost");
    let flags = ["--shards", "2", "--watchdog-end-ms", "600"];
    let server = Process::start_as(child(&supervisor, None), &flags);
    let address = server.address;
    let (mut blocked, id) = client_on(&server, shard);
    let (mut other, _) = client_on(&server, 1 - shard);
    blocked.send_text("block");
    // Nobody is left hanging, on either shard.
    assert!(blocked.wire.ends_somehow());
    assert!(other.wire.ends_somehow());
    let (status, stderr) = server.wait();
    assert_eq!(status.code(), Some(70), "{stderr}");
    assert!(TcpStream::connect(address).is_err());
    let lost = format!(": shard {shard} is lost: it has not turned for ");
    let told = stderr.lines().find(|line| line.contains(&lost));
    let told = told.unwrap_or_else(|| panic!("no word of it in {stderr}"));
    let runs = format!("it runs on_message at /blocks/{{id}} for {id}");
    assert!(told.ends_with(&runs), "{told}");
    assert_eq!(supervisor.next()["READY"], "1");
    let last = supervisor.next();
    assert_eq!(last["STOPPING"], "1");
    let lost = format!("shard {shard} is lost: it has not turned for ");
    assert!(last["STATUS"].starts_with(&lost), "{last:?}");
}

fn child(supervisor: &Supervisor, watchdog: Option<Duration>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, "1");
    supervisor.supervise(&mut command, watchdog);
    command
}

fn client_on(server: &Process, shard: u16) -> (Ws, String) {
    let on = format!("client {shard}/");
    on_shard(|| {
        let mut ws = Ws::open(server.address, "/blocks/it");
        let id = ws.expect_text();
        id.starts_with(&on).then_some((ws, id))
    })
}

fn a_supervisor_hears_no_more_of_a_blocked_shard(shard: u16) {
    const WATCHDOG: Duration = Duration::from_secs(2);
    let supervisor = Supervisor::new("silent");
    let flags = ["--watchdog-warn-ms", "0", "--watchdog-end-ms", "0"];
    let flags = [&["--shards", "2"][..], &flags].concat();
    let server = Process::start_as(child(&supervisor, Some(WATCHDOG)), &flags);
    assert_eq!(supervisor.next()["READY"], "1");
    let (mut blocked, _) = client_on(&server, shard);
    for _ in 0..3 {
        let ping = supervisor.next_within(WATCHDOG).expect("it turns");
        assert_eq!(ping["WATCHDOG"], "1");
    }
    blocked.send_text("block");
    // A shard may be silent for two beats, a quarter of the time is between two pings, and a few
    // may have come while the message was on its way. Then the supervisor would have ended it.
    let mut late = 0;
    while supervisor.next_within(WATCHDOG).is_some() {
        late += 1;
        assert!(late < 10, "it goes on pinging");
    }
}
