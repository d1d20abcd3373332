//! `reload` and `drain`: a word to a server that runs.

use super::{Listener, demo_server, run, run_in};
use crate::process::Process;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

#[test]
fn a_reload_reaches_the_server_of_the_configuration() {
    let file = |name: &str, text: &str| {
        let name = format!("shardcast-again-{name}-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        (format!("--config={}", path.display()), path)
    };
    let app = |secret: &str| format!("[[apps]]\nid='1'\nkey='k'\nsecret='{secret}'\n");
    let (good, path) = file("good", &app("old"));
    let server = Process::start(&["--shards=1", &good]);
    let port = format!("--port={}", server.address.port());
    std::fs::write(&path, app("new")).unwrap();
    let is_known = || run(&["trigger", "a", "e", &good, &port]).code == Some(0);
    assert!(
        !is_known(),
        "the server has not read the file again by itself"
    );

    // A file that is refused here is not tried there.
    let (bad, bad_path) = file("bad", "prot = 1\n");
    let told = run(&["reload", &bad, &port]).refused(78);
    assert!(told.contains("did you mean `port`?"), "{told}");

    let reloaded = run(&["reload", &good, &port]);
    assert_eq!(
        (reloaded.code, &reloaded.stdout[..]),
        (Some(0), ""),
        "{}",
        reloaded.stderr
    );
    let pid = format!("process {} reads its configuration again", server.pid());
    assert!(reloaded.stderr.starts_with(&pid), "{}", reloaded.stderr);
    assert!((0..1000).any(|_| is_known()), "the new secret is in force");
    let (status, log) = server.stop();
    assert!(status.success());
    let times = |text: &str| log.matches(text).count();
    assert_eq!(
        (times("app 1: secret: changed"), times("not reloaded")),
        (1, 0),
        "{log}"
    );
    for path in [path, bad_path] {
        std::fs::remove_file(path).unwrap();
    }
}

// W22
#[test]
fn a_drain_tells_the_clients_and_waits_for_the_end() {
    let (server, port) = demo_server();
    let listener = Listener::subscribed(1, &["a", &port, "--retry-s=0"]);
    let drained = run(&["drain", &port]);
    assert_eq!(
        (drained.code, &drained.stdout[..]),
        (Some(0), ""),
        "{}",
        drained.stderr
    );
    let pid = server.pid();
    let wanted = format!("process {pid} stops; waiting for its end\nprocess {pid} has ended\n");
    assert_eq!(drained.stderr, wanted);
    let (code, told) = listener.end();
    assert!(code == Some(69) && told.contains("with 4100"), "{told}");
    assert!(server.wait().0.success());
}

#[test]
fn a_drain_that_takes_longer_than_one_waits_is_69() {
    // Closes that are spread over ten minutes keep the server there.
    let server = Process::start(&["--shards=1", "--drain-spread-ms=600000"]);
    let port = format!("--port={}", server.address.port());
    let _listeners = [(); 4].map(|()| Listener::subscribed(1, &["a", &port]));
    let drained = run(&["drain", &port, "--wait-s=1"]);
    assert_eq!(drained.code, Some(69), "{}", drained.stderr);
    let told = format!("process {} has not ended within 1 seconds", server.pid());
    assert!(drained.stderr.contains(&told), "{}", drained.stderr);
}

#[test]
fn nobody_has_to_wait_for_the_end() {
    let (server, port) = demo_server();
    let drained = run(&["drain", &port, "--wait-s=0"]);
    let told = format!("process {} stops\n", server.pid());
    assert_eq!((drained.code, drained.stderr), (Some(0), told));
    assert!(server.wait().0.success());
}

#[test]
fn health_is_what_the_server_answers() {
    let (server, port) = demo_server();
    for (asked, state) in [(&[][..], "alive"), (&["--ready"], "ready")] {
        let told = run(&[&["health", &port], asked].concat());
        let wanted = format!("http://127.0.0.1:{} is {state}\n", server.address.port());
        assert_eq!((told.code, &told.stdout[..]), (Some(0), ""));
        assert_eq!(told.stderr, wanted);
    }
    let url = format!("--url=http://{}/nowhere", server.address);
    let told = run(&["health", &url]).refused(69);
    assert!(told.contains("answered 404 to /live"), "{told}");
    assert!(server.stop().0.success());
    let told = run(&["health", &port]).refused(69);
    assert!(told.contains("127.0.0.1"), "{told}");
}

#[test]
fn a_server_behind_a_proxy_is_asked_as_the_proxy_would() {
    let settings = ["--proxy-protocol=true", "--trusted-proxies=127.0.0.0/8"];
    let server = Process::start(&[&["--shards=1"], &settings[..]].concat());
    let port = format!("--port={}", server.address.port());
    let asked = [&["health", &port], &settings[..]].concat();
    let told = run(&asked);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let listener = [&["a", &port, "--count=1"], &settings[..]].concat();
    let mut listener = Listener::subscribed(1, &listener);
    let sent = run(&[&["trigger", "a", "e", &port], &settings[..]].concat());
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert_eq!(listener.event(), "a  e  {}");
}

// R42: a server that takes nobody lives, and is not ready.
#[test]
fn health_of_a_server_that_turns_everybody_away() {
    let server = Process::start(&["--shards=1", "--max-connections=1"]);
    let port = format!("--port={}", server.address.port());
    let _inside = Listener::subscribed(1, &["a", &port]);
    let told = run(&["health", "--ready", &port]).refused(69);
    assert!(told.contains("answered 503 to /ready"), "{told}");
    assert_eq!(run(&["health", &port]).code, Some(0));
    let server = Process::start(&["--shards=1", "--connections-per-address=1"]);
    let port = format!("--port={}", server.address.port());
    let _inside = Listener::subscribed(1, &["a", &port]);
    assert_eq!(run(&["health", &port]).code, Some(0));
}

#[test]
fn health_is_not_what_another_one_says_of_it() {
    let balancer = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--url=http://{}", balancer.local_addr().unwrap());
    let answers = thread::spawn(move || {
        let (mut stream, _) = balancer.accept().unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\nno backend";
        let mut http = [0; 1024];
        assert!(stream.read(&mut http).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let told = run(&["health", &url]).refused(69);
    assert!(told.contains("answered 503 to /live: no backend"), "{told}");
    answers.join().unwrap();
}

#[test]
fn health_of_a_server_whose_configuration_was_made_worse() {
    let (server, port) = demo_server();
    let admin = format!("--admin-port={}", server.admin.unwrap().port());
    let name = format!("shardcast-worse-{}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, "prot = 1\n").unwrap();
    let config = format!("--config={}", path.display());
    let told = run(&["health", &config, &port]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stderr.contains("it could not be started again"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr.contains("did you mean `port`?"),
        "{}",
        told.stderr
    );
    // So it is wherever the mistake stands, and whatever else the file has to say of the app.
    let env = path.with_extension("env");
    let env_flag = format!("--env-file={}", env.display());
    let secret = [("SOKETI_DEFAULT_APP_SECRET", "s")];
    for text in [
        format!("SHARDCAST_CONFIG={}\n", path.display()),
        "SHARDCAST_PORT=many\n".to_owned(),
    ] {
        std::fs::write(&env, &text).unwrap();
        let told = run_in(&["health", &env_flag, &port], &secret);
        assert_eq!(told.code, Some(0), "{text}: {}", told.stderr);
    }
    std::fs::remove_file(&env).unwrap();
    // A port that holds from the next start on.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let next = format!("--port={}", other.local_addr().unwrap().port());
    drop(other);
    assert_eq!(run(&["health", "--admin=on", &admin, &next]).code, Some(0));
    run(&["health", &admin, &next]).refused(69);
    assert!(server.stop().0.success());
    run(&["health", "--admin=on", &admin, &port]).refused(69);
    let told = run(&["health", &config, &port]).refused(78);
    assert!(told.contains("did you mean `port`?"), "{told}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn nobody_else_is_signalled() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--port={}", other.local_addr().unwrap().port());
    let own = std::process::id();
    for command in ["reload", "drain"] {
        let told = run(&[command, &port]).refused(69);
        let wanted = format!("(process {own}), which is not shardcast");
        assert!(
            told.contains(&wanted) && told.contains(&format!("--pid {own}")),
            "{told}"
        );
        // It would be killed by that.
        let told = run(&[command, "--pid", &own.to_string()]).refused(69);
        assert!(told.contains("does not handle SIG"), "{told}");
    }
    let told = run(&["reload", "--pid", "2147483647"]).refused(69);
    assert_eq!(told, "there is no process 2147483647");
}
