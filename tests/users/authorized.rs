//! Apps that want each connection to sign in or to join a signed channel in time (section 7.4).

use super::support::pusher::{Client, Event};
use super::support::server::{TestServer, app, config};
use super::support::sign::Keys;
use super::{keys, start};
use serde_json::json;
use shardcast::server::config::Config;

/// Long enough for some frames to and fro, short enough to wait for.
const SIGN_IN_MS: u64 = 2_000;

#[track_caller]
fn expect_too_late(client: &mut Client) {
    const MESSAGE: &str = "Connection not authorized within timeout";
    let event = Event::parse(&client.ws.expect_text());
    assert_eq!(
        (event.error(), &event.channel),
        ((Some(4009), MESSAGE), &None)
    );
    assert_eq!(client.ws.expect_close(4009), MESSAGE);
}

#[test]
fn who_is_authorized_in_time_stays() {
    for shards in [1, 2] {
        let server = start(shards, |app, config| {
            app.user_authentication = true;
            config.sign_in_ms = SIGN_IN_MS;
        });
        let mut connected = (0..5).map(|_| server.client()).collect::<Vec<_>>();
        let [signed_in, private, presence, left, public] = &mut connected[..] else {
            unreachable!("five of them");
        };
        signed_in.sign_in(&keys(), "ann");
        private.subscribe_signed(&keys(), "private-a");
        presence.join(&keys(), "presence-a", &json!({"user_id": "ann"}));
        left.subscribe_signed(&keys(), "private-a");
        left.unsubscribe("private-a");
        public.subscribe("news");
        public.ask("private-a");
        public.expect_refused("private-a", "AuthError", 401);
        public.ask_to_sign_in(&keys(), "{}");
        public.expect_error(Some(4009));
        // On each shard somebody comes later than all of these, and must go.
        for shard in 0..shards as u64 {
            expect_too_late(&mut server.client_on(shard));
        }
        expect_too_late(public);
        for client in [signed_in, private, presence, left] {
            client.expect_quiet();
        }
    }
}

#[test]
fn other_apps_give_all_the_time_there_is() {
    let mut strict = app();
    (strict.id, strict.key) = ("1002".into(), "strict".into());
    strict.user_authentication = true;
    let server = TestServer::start(Config {
        shards: Some(1),
        sign_in_ms: 1,
        ..config([app(), strict])
    });
    let mut easy = server.client();
    let mut hurried = Client::connect(server.address(), "strict");
    expect_too_late(&mut hurried);
    easy.expect_quiet();
    easy.sign_in(&Keys::of(&app()), "ann");
}
