//! Which certificate is shown, and how another takes its place (R28).

use crate::pki::{Pki, der};
use crate::support::http::Http;
use crate::support::pusher::Client;
use crate::support::server::TestServer;
use crate::support::wire::{PATIENCE, Wire};
use shardcast::control::Reload;
use shardcast::server::config::{CertificateFiles, Config};
use shardcast::server::{Server, ServerError};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

#[test]
fn metrics_tell_when_a_certificate_runs_out() {
    let pki = Pki::new("expiry");
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    let line = || {
        let admin = handle.admin_addr().expect("it has an admin port");
        let page = Http::connect(admin).ask("GET", "/metrics", b"");
        let name = "soketi_tls_certificate_expiry_timestamp_seconds{";
        let mut lines = page.text().lines().filter(|line| line.starts_with(name));
        let line = lines.next().expect("it is told").to_owned();
        assert_eq!(lines.next(), None);
        assert!(line.contains("main.crt"), "{line}");
        line
    };
    assert!(line().ends_with(" 4102444800"), "{}", line());
    pki.put("main", &pki.pem(&["localhost"], 2101));
    assert_eq!(handle.certificates().unwrap().reload(), Ok(Reload::Changed));
    assert!(line().ends_with(" 4133980800"), "{}", line());
}

#[test]
fn the_certificate_is_the_one_for_the_name_that_is_asked_for() {
    let pki = Pki::new("names");
    let main = pki.write("main", &["localhost"]);
    let a = pki.write("a", &["a.example"]);
    let b = pki.write("b", &["b.example", "*.b.example"]);
    let server = TestServer::start(Config {
        tls_certificates: vec![pki.files("a"), pki.files("b")],
        ..pki.config()
    });
    for (name, wanted) in [
        ("localhost", &main),
        ("a.example", &a),
        ("A.EXAMPLE", &a),
        ("b.example", &b),
        ("x.b.example", &b),
        ("x.y.b.example", &main),
        ("unknown.example", &main),
        ("127.0.0.1", &main), // a client that sends no name
    ] {
        assert!(pki.shown(server.address(), name) == *wanted, "{name}");
    }
}

#[test]
fn a_new_certificate_is_for_new_clients_and_no_old_one_notices() {
    let pki = Pki::new("new");
    let first = pki.write("main", &["localhost"]);
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    let certificates = handle.certificates().unwrap();
    let mut old: Vec<Client> = (0..4).map(|_| pki.client(&server)).collect();
    old.iter_mut().for_each(|client| client.subscribe("news"));
    assert_eq!(certificates.reload(), Ok(Reload::Same));
    assert!(pki.shown(server.address(), "localhost") == first);
    let second = pki.write("main", &["localhost"]);
    assert_eq!(certificates.reload(), Ok(Reload::Changed));
    assert!(pki.shown(server.address(), "localhost") == second && second != first);
    let validity = certificates.shown()[0].validity;
    assert_eq!(
        (validity.not_before, validity.not_after),
        (1_577_836_800, 4_102_444_800)
    );
    for client in &mut old {
        client.expect_quiet();
    }
}

#[test]
fn a_bad_certificate_leaves_the_old_one_in_force() {
    let pki = Pki::new("bad");
    let first = pki.write("main", &["localhost"]);
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    let certificates = handle.certificates().unwrap();
    let good = pki.pem(&["localhost"], 2100);
    let other = pki.pem(&["localhost"], 2100);
    let run_out = pki.pem(&["localhost"], 2021);
    let CertificateFiles { cert, key } = pki.files("main");
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    for (pair, told) in [
        (
            ("".into(), good.1.clone()),
            format!("{cert}: it holds no certificate in PEM"),
        ),
        (
            (good.0[..300].to_owned(), good.1.clone()),
            format!("{cert}: it holds a certificate that cannot be read"),
        ),
        (
            (good.0.clone(), "".into()),
            format!("{key}: it holds no private key in PEM"),
        ),
        (
            (good.0.clone(), other.1),
            format!("{key}: its key is not the key of the (first) certificate"),
        ),
        (run_out, format!("{cert}: it has run out")),
    ] {
        pki.put("main", &pair);
        let error = certificates.reload().unwrap_err().to_string();
        assert_eq!(error, told);
        assert!(pki.shown(server.address(), "localhost") == first);
        assert_eq!(certificates.shown()[0].validity.not_after, 4_102_444_800);
    }
    fs::remove_file(&key).unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{key}: No such file")),
        "{error}"
    );
    pki.put("main", &good);
    assert_eq!(certificates.reload(), Ok(Reload::Changed));
    assert!(pki.shown(server.address(), "localhost") == der(&good.0));
}

#[test]
fn one_bad_certificate_of_several_changes_none() {
    let pki = Pki::new("several");
    let (main, a) = (
        pki.write("main", &["localhost"]),
        pki.write("a", &["a.example"]),
    );
    let server = TestServer::start(Config {
        tls_certificates: vec![pki.files("a")],
        ..pki.config()
    });
    let handle = server.handle();
    pki.write("main", &["localhost"]);
    pki.put("a", &("nothing".into(), "nothing".into()));
    assert!(handle.certificates().unwrap().reload().is_err());
    assert!(pki.shown(server.address(), "localhost") == main);
    assert!(pki.shown(server.address(), "a.example") == a);
}

/// Asks until a client is shown this certificate.
fn wait_for(pki: &Pki, server: &TestServer, wanted: &[u8]) {
    let begun = Instant::now();
    while pki.shown(server.address(), "localhost") != wanted {
        assert!(begun.elapsed() < PATIENCE, "the files are not looked at");
    }
}

#[test]
fn files_that_change_are_read_again_by_themselves() {
    let pki = Pki::new("watch");
    pki.write("main", &["localhost"]);
    let server = TestServer::start(pki.config());
    let mut client = pki.client(&server);
    let second = pki.write("main", &["localhost"]);
    wait_for(&pki, &server, &second);
    // As Kubernetes does it: what the names lead to is exchanged below them.
    let third = pki.write("third", &["localhost"]);
    let (main, new) = (pki.files("main"), pki.files("third"));
    for (own, new) in [(&main.cert, &new.cert), (&main.key, &new.key)] {
        fs::remove_file(own).unwrap();
        symlink(new, own).unwrap();
    }
    wait_for(&pki, &server, &third);
    client.expect_quiet();
}

#[test]
fn a_thousand_handshakes_go_through_while_certificates_change() {
    // R28
    const HANDSHAKES: usize = 1_000;
    let pki = Pki::new("thousand");
    let pairs: Vec<_> = (0..4).map(|_| pki.pem(&["localhost"], 2100)).collect();
    pki.put("main", &pairs[0]);
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    let certificates = handle.certificates().unwrap();
    let trust = pki.trust();
    let mut bystander = pki.client(&server);
    let mut shown = [0; 4];
    std::thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            let mut reloads = 0;
            while certificates.shown().len() == 1 && reloads < 100 {
                pki.put("main", &pairs[reloads % 4]);
                certificates.reload().unwrap();
                reloads += 1;
            }
            reloads
        });
        for n in 0..HANDSHAKES {
            let address = server.address();
            let mut wire = Wire::encrypted(address, &trust, "localhost");
            wire.agree()
                .unwrap_or_else(|error| panic!("handshake {n}: {error}"));
            let own = &wire.tls().peer_certificates().unwrap()[0];
            let which = pairs.iter().position(|(cert, _)| der(cert) == own[..]);
            shown[which.expect("one of those that were put there")] += 1;
        }
        assert_eq!(reloads.join().unwrap(), 100);
    });
    assert_eq!(shown.iter().sum::<usize>(), HANDSHAKES);
    bystander.expect_quiet();
}

#[test]
fn a_server_does_not_start_with_what_it_cannot_show() {
    let pki = Pki::new("start");
    pki.put("main", &(String::new(), String::new()));
    let config = pki.config();
    let error = Server::builder()
        .config(config.clone())
        .start()
        .unwrap_err();
    assert_eq!(error.exit_code(), 78);
    let told = error.to_string();
    let cert = pki.files("main").cert;
    assert_eq!(
        told,
        format!(
            "TLS cannot be spoken: {}: it holds no certificate in PEM",
            cert.display()
        )
    );
    let half = Config {
        tls_key: None,
        ..config
    };
    let error = Server::builder().config(half).start().unwrap_err();
    assert!(matches!(error, ServerError::Tls(_)), "{error}");
    // One that has run out is shown all the same, with a warning: some clients may not look.
    pki.put("main", &pki.pem(&["localhost"], 2021));
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    let warnings = handle.certificates().unwrap().warnings();
    assert!(
        warnings[0].ends_with("has run out: clients refuse it"),
        "{warnings:?}"
    );
}
