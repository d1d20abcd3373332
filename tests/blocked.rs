//! A handler that never comes back, in a program as an operator runs it: the watchdog ends that,
//! and says what it was.
//!
//! The program is this one again, as a child process; so it has no test harness, which would read
//! the server's flags as its own.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
mod support;

use process::Process;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::server::Program;
use std::net::TcpStream;
use std::process::{Command, ExitCode};
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
    }
    ExitCode::SUCCESS
}

fn a_blocked_shard_ends_the_program(shard: u16) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, "1");
    let flags = ["--shards", "2", "--watchdog-end-ms", "600"];
    let server = Process::start_as(command, &flags);
    let address = server.address;
    let client_on = |shard: u16| {
        let on = format!("client {shard}/");
        on_shard(|| {
            let mut ws = Ws::open(address, "/blocks/it");
            let id = ws.expect_text();
            id.starts_with(&on).then_some((ws, id))
        })
    };
    let (mut blocked, id) = client_on(shard);
    let (mut other, _) = client_on(1 - shard);
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
}
