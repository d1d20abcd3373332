//! Clients find each other by name, on whichever shard they are: a table of names that all shards
//! share, without a lock.
//!
//! `cargo run --example connection_table -- --port 6001`, connect to
//! `ws://127.0.0.1:6001/people?name=ann` and, elsewhere, as `bob`; then say `bob hello`.

use shardcast::handler::{
    Client, Handler, Handshake, Json, Message, Request, Result, Router, SharedTable,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Program;
use std::process::ExitCode;

/// What is known of a name.
#[derive(Clone)]
struct Person {
    client: ClientId,
    /// How often somebody has written to it.
    letters: u64,
}

struct People {
    by_name: SharedTable<String, Person>,
}

impl Handler for People {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        match request.query_param("name") {
            Some(name) if !name.is_empty() => Ok(Handshake::accept(name.into_owned())),
            _ => Ok(Handshake::reject(Response::text(400, "Who are you?\n"))),
        }
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        let (name, id) = (client.session().clone(), client.id());
        let person = Person {
            client: id,
            letters: 0,
        };
        // Of two who want the name at the same time one gets it. The row vanishes when the client
        // does.
        if self.by_name.insert_for(id, name, person).await?.is_some() {
            client.close(4000, "the name is taken");
        }
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        let Some((to, words)) = message.as_text().and_then(|text| text.split_once(' ')) else {
            return Ok(client.send_text("write NAME and what to tell")?);
        };
        let count = |person: Option<Person>| {
            let person = person?;
            let letters = person.letters + 1;
            Some(Person { letters, ..person })
        };
        match self.by_name.update(to.to_owned(), count).await? {
            Some(Person {
                client: other,
                letters,
            }) => {
                let letter = format!("{} writes letter {letters}: {words}", client.session());
                client.endpoint().send(other, &letter)?;
            }
            None => client.send_text(&format!("nobody is called {to}"))?,
        }
        Ok(())
    }
}

fn routes(router: &mut Router) {
    let by_name = router.table::<String, Person>("people");
    let people = by_name.clone();
    router.mount("/people", |_| People { by_name });
    router.get("/people/names", async move |_: Request<'_>| {
        let mut names: Vec<_> = people
            .rows()
            .await
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        Json(names)
    });
}

fn main() -> ExitCode {
    Program::new().routes(routes).run()
}
