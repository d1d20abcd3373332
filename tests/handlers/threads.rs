//! Handlers stay on their shard, and the compiler sees to it.

use crate::support::server::{TestServer, config};
use crate::support::websocket::Ws;
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Incoming, Message, Outgoing, Prepared, Request, Result,
    Router, Rows, ServerHandle, SharedTable, Task,
};
use shardcast::id::ClientId;
use shardcast::server::Server;
use std::cell::RefCell;
use std::rc::Rc;

/// Does not compile when the type may be sent to another thread: then both implementations fit, and
/// which one is meant is not known.
macro_rules! stays {
    ($($name:ty),+ $(,)?) => {
        $({
            trait Ambiguous<A> {
                fn meant() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            #[allow(dead_code, reason = "its implementation is what matters")]
            struct MaySend;
            impl<T: ?Sized + Send> Ambiguous<MaySend> for T {}
            <$name as Ambiguous<_>>::meant();
        })+
    };
}

/// Does not compile when it may not.
fn travels<T: Send + Sync>() {}

#[test]
fn what_belongs_to_a_shard_stays_there_and_the_rest_may_travel() {
    stays!(
        Endpoint,
        Router,
        Client<()>,
        Incoming<'static>,
        Outgoing,
        Request<'static>,
        SharedTable<String, u8>,
        Rows<u8>,
        Task<()>,
        WithRc,
    );
    travels::<ServerHandle>();
    travels::<Prepared>();
    travels::<ClientId>();
}

/// Everything it has may be shared between clients of its shard, without a lock.
struct WithRc {
    said: Rc<RefCell<Vec<String>>>,
}

impl Handler for WithRc {
    type Session = Rc<str>;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Rc<str>>> {
        Ok(Handshake::accept(request.query().into()))
    }

    async fn on_message(&self, client: &mut Client<Rc<str>>, _: Message<'_>) -> Result {
        self.said.borrow_mut().push(client.session().to_string());
        let said = self.said.borrow().join(",");
        Ok(client.send_text(&said)?)
    }
}

#[test]
fn a_handler_that_holds_an_rc_serves_on_both_shards() {
    let routes = |router: &mut Router| {
        let said = Rc::default();
        router.mount("/rc", |_| WithRc { said })
    };
    let server = TestServer::build(Server::builder().config(config([])).routes(routes));
    // What was said is known to the clients of one shard and to no others.
    let mut lists = [String::new(), String::new()];
    for at in 0..64 {
        let mut ws = Ws::open(server.address(), &format!("/rc?{at}"));
        ws.send_text("");
        let heard = ws.expect_text();
        let shard = lists.iter().position(|said| {
            let comma = if said.is_empty() { "" } else { "," };
            heard == format!("{said}{comma}{at}")
        });
        lists[shard.expect("it is what one of the shards has heard")] = heard;
        ws.close();
    }
    assert!(lists.iter().all(|said| !said.is_empty()), "{lists:?}");
}
