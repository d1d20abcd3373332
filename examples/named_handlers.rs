//! JSON messages find their function by the name of an event.
//!
//! `cargo run --example named_handlers -- --port 6001`, connect to
//! `ws://127.0.0.1:6001/calculator`, then send `{"event":"add","data":[1,2,3]}`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shardcast::handler::{Client, Named, Result, Router};
use shardcast::server::Program;
use std::process::ExitCode;

#[derive(Deserialize)]
struct Division {
    what: f64,
    by: f64,
}

/// What goes back.
#[derive(Serialize)]
struct Answer<'a, T> {
    event: &'a str,
    data: T,
}

fn answer<T: Serialize>(client: &Client<()>, event: &str, data: T) -> Result {
    let text = serde_json::to_string(&Answer { event, data })?;
    client.send_text(&text)?;
    Ok(())
}

fn routes(router: &mut Router) {
    router.mount("/calculator", |_| {
        Named::new()
            .on("add", async |client: &mut Client<()>, all: Vec<f64>| {
                answer(client, "sum", all.iter().sum::<f64>())
            })
            .on("divide", async |client: &mut Client<()>, it: Division| {
                if it.by == 0.0 {
                    return answer(client, "refused", "not by zero");
                }
                answer(client, "quotient", it.what / it.by)
            })
            .otherwise(async |client: &mut Client<()>, event: &str, _: &RawValue| {
                answer(client, "refused", format!("I cannot {event}"))
            })
    });
}

fn main() -> ExitCode {
    Program::new().routes(routes).run()
}
