//! Users over real sockets (section 7): signing in, events to a user, watchlists, authorised
//! connections and their termination, on one shard and on two.
//!
//! Rule ids are those of the protocol reference (`U3`, `Q17`). Waits of the server are set short
//! or long; what a test waits for is always a frame.

mod support;

#[path = "users/authorized.rs"]
mod authorized;
#[path = "users/own_channel.rs"]
mod own_channel;
#[path = "users/presence.rs"]
mod presence;
#[path = "users/sign_in.rs"]
mod sign_in;
#[path = "users/terminate.rs"]
mod terminate;
#[path = "users/watchlist.rs"]
mod watchlist;

use shardcast::server::config::Config;
use support::server::{TestServer, app, config};
use support::sign::Keys;

/// Ids whose homes are on both of two shards.
const USERS: [&str; 6] = ["ann", "ben-2", "c@example.com", "d=4", "e;5", "F_6,7"];

fn keys() -> Keys {
    Keys::of(&app())
}

/// The test app on so many shards, changed as wanted.
fn start(shards: usize, change: impl FnOnce(&mut shardcast::app::App, &mut Config)) -> TestServer {
    let mut app = app();
    let mut config = Config {
        shards: Some(shards),
        ..config([])
    };
    change(&mut app, &mut config);
    config.apps = vec![app];
    TestServer::start(config)
}
