//! Clients of custom handlers that fall silent, over minutes of virtual time.

use flume::{Receiver, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Incoming, Message, Request, Result,
};
use shardcast::id::ClientId;
use shardcast::server::config::Config;
use shardcast::testing::{Shards, Testing};
use std::time::Duration;

/// Notes each close, waits when it is told to, and takes streams where the path says so.
struct Patient {
    endpoint: Endpoint,
    closes: flume::Sender<Close>,
    streams: bool,
    timeout: Option<Duration>,
}

impl Handler for Patient {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        match message.as_text() {
            Some("often") => client.set_idle_timeout(Duration::from_secs(10)),
            Some("never") => client.set_idle_timeout(Duration::MAX),
            Some("work") => self.endpoint.sleep(Duration::from_secs(3600)).await,
            _ => {}
        }
        Ok(client.send_text("done")?)
    }

    async fn on_stream(&self, client: &mut Client<()>, incoming: &mut Incoming<'_>) -> Result {
        while incoming.chunk().await?.is_some() {}
        Ok(client.send_text("done")?)
    }

    async fn on_close(&self, _: ClientId, (): (), close: Close) {
        let _ = self.closes.try_send(close); // the test may be over
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

fn start(timeout: Option<Duration>) -> (Shards, Receiver<Close>) {
    let (to, closes) = bounded(10);
    let shards = Testing::new(move |router| {
        for (path, streams) in [("/whole", false), ("/stream", true)] {
            router.mount(path, |endpoint| Patient {
                endpoint,
                closes: to.clone(),
                streams,
                timeout,
            });
        }
    });
    let config = Config {
        pong_wait_ms: 20_000,
        ..Config::default()
    };
    (shards.config(config).start(), closes)
}

const MINUTE: Duration = Duration::from_secs(60);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_client_that_is_gone_without_a_word_is_found_out() {
    let (shards, closes) = start(Some(s(30)));
    let mut gone = shards.on(0).connect("/whole");
    let mut there = shards.on(1).connect("/whole");
    gone.fall_silent();
    shards.advance(s(29));
    assert_eq!((gone.pings(), there.pings()), (0, 0));
    shards.advance(s(2));
    assert_eq!((gone.pings(), there.pings()), (1, 1));
    shards.advance(s(18));
    assert!(closes.is_empty(), "it has its time");
    shards.advance(s(3));
    let close = closes.try_recv().expect("it is given up");
    assert_eq!((close.code, close.by_peer), (1006, false));
    gone.expect_end(); // no close frame, which nobody would read
    shards.advance(10 * MINUTE);
    there.send_text("?");
    assert_eq!(there.expect_text(), "done");
    assert!(there.pings() > 5 && closes.is_empty());
}

#[test]
fn a_client_has_its_own_time_or_the_handlers() {
    let (shards, _closes) = start(Some(s(30)));
    let [mut often, mut never, plain] = ["often", "never", "x"].map(|word| {
        let mut client = shards.connect("/whole");
        client.send_text(word);
        assert_eq!(client.expect_text(), "done");
        client
    });
    shards.advance(s(29));
    assert_eq!((often.pings(), never.pings(), plain.pings()), (1, 0, 0));
    shards.advance(10 * MINUTE);
    assert!(never.pings() == 0 && plain.pings() > 15);
    for client in [&mut often, &mut never] {
        client.send_text("x");
        assert_eq!(client.expect_text(), "done");
    }
    let (shards, _closes) = start(None);
    let quiet = shards.connect("/whole");
    shards.advance(10 * MINUTE);
    assert_eq!(quiet.pings(), 0);
}

#[test]
fn who_is_not_read_is_not_taken_for_gone() {
    let (shards, closes) = start(Some(s(30)));
    let mut client = shards.connect("/whole");
    client.send_text("work");
    shards.advance(s(3599));
    assert!(closes.is_empty(), "its handler was at work");
    shards.advance(s(2));
    assert_eq!(client.expect_text(), "done");
    client.fall_silent();
    shards.advance(s(60));
    assert_eq!(closes.try_recv().expect("now it is").code, 1006);
}

#[test]
fn who_is_gone_in_the_middle_of_a_message_is_found_out() {
    let (shards, closes) = start(Some(s(30)));
    let mut client = shards.connect("/stream");
    client.send_bytes(&[0x01, 0x81, 0, 0, 0, 0, b'a']); // a text that goes on
    shards.run();
    client.fall_silent();
    shards.advance(s(60));
    assert_eq!(closes.try_recv().expect("nothing more comes").code, 1006);
}
