//! Lets in who knows the password, and remembers who that was.
//!
//! `cargo run --example handshake -- --port 6001`, then connect to
//! `ws://127.0.0.1:6001/club?name=Ann&password=swordfish`.

use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::http::Response;
use shardcast::server::Program;
use std::process::ExitCode;

const PASSWORD: &str = "swordfish";

struct Club;

/// What the handshake found out; every later callback has it at hand.
struct Member {
    name: String,
    greetings: u32,
}

impl Handler for Club {
    type Session = Member;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Member>> {
        if request.query_param("password").as_deref() != Some(PASSWORD) {
            return Ok(Handshake::reject(Response::text(403, "Wrong password.\n")));
        }
        let Some(name) = request.query_param("name") else {
            return Ok(Handshake::reject(Response::text(400, "Who are you?\n")));
        };
        Ok(Handshake::accept(Member {
            name: name.into_owned(),
            greetings: 0,
        }))
    }

    async fn on_open(&self, client: &mut Client<Member>) -> Result {
        client.send_text(&format!("Welcome, {}!", client.session().name))?;
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<Member>, _: Message<'_>) -> Result {
        let member = client.session_mut();
        member.greetings += 1;
        let Member { name, greetings } = member;
        let answer = format!("{name}, you have said something {greetings} times.");
        client.send_text(&answer)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    Program::new()
        .routes(|router| router.mount("/club", |_| Club))
        .run()
}
