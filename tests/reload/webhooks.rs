//! Webhooks' endpoints that change while events wait for them.

use crate::receiver::{Answer, Receiver};
use crate::served::Served;
use crate::support::pusher::Client;
use crate::{app, file};
use shardcast::app::App;

/// A file with one app that tells one receiver.
fn telling(receiver: &Receiver, more: &str) -> String {
    let hook = format!("[[apps.webhooks]]\nurl = '{}'\n", receiver.url());
    file(&["webhook_retry_ms = 100\n", more, &app(1, &hook)])
}

fn app_one() -> App {
    App::new("1", "k1", "canary-1")
}

#[test]
fn events_go_to_the_endpoints_of_the_last_file() {
    let [first, second] = [Receiver::plain(), Receiver::plain()];
    let served = Served::start("endpoints", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    client.subscribe("untold");
    served.reloaded(&telling(&first, ""));
    client.subscribe("one");
    assert_eq!(first.events(&app_one(), 1)[0]["channel"], "one");
    let lines = served.reloaded(&telling(&second, ""));
    assert!(lines[0].contains("app 1: webhooks: changed"), "{lines:#?}");
    client.subscribe("two");
    assert_eq!(second.events(&app_one(), 1)[0]["channel"], "two");
    served.reloaded(&file(&[&app(1, "")]));
    client.subscribe("three");
    served.reloaded(&telling(&second, ""));
    client.subscribe("four");
    assert_eq!(second.events(&app_one(), 1)[0]["channel"], "four");
    assert!(first.here().is_none());
}

#[test]
fn what_waits_for_an_endpoint_is_sent_whether_it_stays_or_goes() {
    let busy = |number| Answer::Status(if number < 2 { 500 } else { 200 }, "");
    let (stays, goes) = (Receiver::answering(busy), Receiver::answering(busy));
    let next = Receiver::plain();
    let served = Served::start("waits", &telling(&stays, ""));
    let mut client = Client::connect(served.address, "k1");
    client.subscribe("one");
    let refused = stays.next();
    served.reloaded(&telling(&stays, "body_bytes = 20000\n"));
    for _ in 0..2 {
        assert_eq!(stays.next().body, refused.body); // K3
    }
    served.reloaded(&telling(&goes, ""));
    client.subscribe("two");
    let refused = goes.next();
    served.reloaded(&telling(&next, ""));
    for _ in 0..2 {
        assert_eq!(goes.next().body, refused.body); // K3
    }
    client.subscribe("three");
    assert_eq!(next.events(&app_one(), 1)[0]["channel"], "three");
    assert!(stays.here().is_none() && goes.here().is_none());
}
