//! `listen` and `trigger` over TLS: whom they believe.

use super::{Listener, run};
use crate::process::Process;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::path::PathBuf;

/// A folder with an authority's certificate, and one that it has signed, with its key.
struct Files(PathBuf);

impl Files {
    fn new(test: &str, name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("commands-{test}"));
        fs::create_dir_all(&folder).unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &authority).unwrap();
        fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        Self(folder)
    }

    fn flag(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.0.join(file).display())
    }
}

#[test]
fn the_servers_own_settings_are_enough_whatever_its_certificate_is_for() {
    let files = Files::new("own", "example.com");
    let (cert, key) = (
        files.flag("tls-cert", "cert.pem"),
        files.flag("tls-key", "key.pem"),
    );
    let server = Process::start(&["--shards=1", &cert, &key]);
    assert!(!server.banner.contains(" ws://"), "{}", server.banner);
    let port = format!("--port={}", server.address.port());
    assert_eq!(run(&["health", &port, &cert, &key]).code, Some(0));
    let mut listener = Listener::subscribed(1, &["private-a", &port, &cert, &key]);
    let sent = run(&["trigger", "private-a", "e", &port, &cert, &key]);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(
        sent.stderr.contains("https://127.0.0.1:"),
        "{}",
        sent.stderr
    );
    assert_eq!(listener.event(), "private-a  e  {}");

    // Without them it is an unknown server, and one that speaks another language.
    let other = Files::new("other", "example.com");
    let (cert, key) = (
        other.flag("tls-cert", "cert.pem"),
        other.flag("tls-key", "key.pem"),
    );
    for command in [&["listen", "a"][..], &["trigger", "a", "e"]] {
        let told = run(&[command, &[&port, &cert, &key]].concat()).refused(69);
        assert!(
            told.starts_with("cannot speak TLS with https://127."),
            "{told}"
        );
        assert!(told.contains("UnknownIssuer"), "{told}");
    }
    let told = run(&["listen", "a", &port]).refused(69);
    assert!(told.contains("This port speaks TLS"), "{told}");
    let told = run(&["trigger", "a", "e", &port]).refused(64);
    assert!(told.contains("This port speaks TLS"), "{told}");
}

#[test]
fn a_server_elsewhere_needs_an_authority_and_its_name() {
    let files = Files::new("elsewhere", "localhost");
    let (cert, key) = (
        files.flag("tls-cert", "cert.pem"),
        files.flag("tls-key", "key.pem"),
    );
    let server = Process::start(&["--shards=1", &cert, &key]);
    let port = server.address.port();
    let ca = files.flag("ca", "ca.pem");
    let url = format!("--url=wss://localhost:{port}");
    let mut listener = Listener::subscribed(1, &["a", &url, &ca]);
    assert_eq!(run(&["trigger", "a", "e", &url, &ca]).code, Some(0));
    assert_eq!(listener.event(), "a  e  {}");
    let told = run(&["listen", "a", &url]).refused(69);
    assert!(told.contains("UnknownIssuer"), "{told}");
    let by_address = format!("--url=wss://127.0.0.1:{port}");
    let told = run(&["trigger", "a", "e", &by_address, &ca]).refused(69);
    assert!(told.contains("not valid for name"), "{told}");
    for (file, reason) in [
        ("none.pem", "No such file"),
        ("key.pem", "holds no certificate"),
    ] {
        let told = run(&["listen", "a", &url, &files.flag("ca", file)]).refused(78);
        assert!(told.starts_with("--ca ") && told.contains(reason), "{told}");
    }
}
