//! Limits, the log, and files that are refused.

use crate::served::Served;
use crate::support::http::Http;
use crate::support::pusher::Client;
use crate::{app, file, keys};
use rustix::process::Signal;
use std::process::Stdio;

#[test]
fn limits_hold_for_what_comes_next() {
    let served = Served::start("limits", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    client.subscribe("one");
    let mut http = Http::connect(served.address);
    let body = vec![b' '; 20_000];
    assert_eq!(http.ask("POST", "/apps/1/events", &body).status, 401);
    served.reloaded(&file(&[
        "channels_per_connection = 1\nbody_bytes = 19999\nmessage_bytes = 11000\n",
        "head_bytes = 1024\n",
        &app(1, "channel_name_chars = 20"),
    ]));
    client.ask("two");
    client.expect_refused("two", "LimitReached", 4100);
    assert_eq!(http.ask("POST", "/apps/1/events", &body).status, 413);
    let long = format!("/{}", "x".repeat(2000));
    assert_eq!(
        Http::connect(served.address).ask("GET", &long, b"").status,
        431
    );
    let mut newcomer = Client::connect(served.address, "k1");
    newcomer.ask(&"n".repeat(21));
    newcomer.expect_refused(&"n".repeat(21), "LimitReached", 4009);
    newcomer.ws.send_text(vec![b' '; 11_001]);
    newcomer.ws.expect_close(1009);
    served.reloaded(&file(&[&app(1, "")]));
    client.subscribe("two");
}

#[test]
fn a_stop_ends_as_the_last_reload_said() {
    let served = Served::start("drain", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    served.reloaded(&file(&["drain_close = 4200\n", &app(1, "")]));
    served.signal(Signal::TERM);
    client.expect_closed(4200);
    let (status, _) = served.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_log_says_more_and_less() {
    let served = Served::start("debug", &file(&[&app(1, "")]));
    let quiet = Client::connect(served.address, "k1");
    let lines = served.reloaded(&file(&["debug = true\n", &app(1, "")]));
    assert!(!lines.concat().contains("DEBUG"), "{lines:#?}");
    assert!(lines[0].contains("debug: false -> true"), "{lines:#?}");
    let told = Client::connect(served.address, "k1");
    served.log_to(&[&told.socket_id]);
    served.reloaded(&file(&[&app(1, "")]));
    let untold = Client::connect(served.address, "k1");
    let lines = served
        .reloaded(&file(&[&app(1, "client_events = true")]))
        .concat();
    assert!(!lines.contains(&untold.socket_id) && !lines.contains(&quiet.socket_id));
}

#[test]
fn what_needs_a_restart_is_told_and_stays_and_so_is_what_makes_no_sense() {
    let served = Served::start("refused", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    let lines = served.reloaded(&file(&["mesh_slots = 64\n", &app(1, "")]));
    assert!(lines[0].contains("needs a restart") && lines[0].contains("mesh_slots: 1024 -> 64"));
    for (text, said) in [
        (file(&[&app(1, "prot = 1")]), "prot"),
        (file(&[&app(1, ""), &app(1, "")]), "no other app has"),
        (
            file(&[
                "message_bytes = 5000\n",
                &app(1, "event_data_bytes = 10000"),
            ]),
            "event_data_bytes",
        ),
        (
            file(&[&app(1, "[[apps.webhooks]]\nurl = 'ftp://a.example/'")]),
            "apps[0].webhooks[0].url",
        ),
        (file(&[]), "there is none any more"),
    ] {
        let lines = served.reload(&text);
        let last = lines.last().unwrap();
        assert!(
            last.contains("not reloaded") && last.contains(said),
            "{last}"
        );
        assert!(!last.contains("canary"), "{last}");
    }
    client.subscribe("news");
    served.rest(&keys(1)).trigger("news", "still", "");
    client.expect("still");
}

#[test]
fn a_log_that_nobody_reads_any_more_harms_nobody() {
    let served = Served::start_with("unread", &file(&[&app(1, "")]), |command| {
        let (reader, writer) = std::io::pipe().expect("pipes can be made");
        drop(reader);
        command.arg("--debug").stderr(Stdio::from(writer))
    });
    let mut client = Client::connect(served.address, "k1");
    client.subscribe("news");
    served.signal(Signal::HUP);
    served.rest(&keys(1)).trigger("news", "e", "");
    client.expect("e");
}
