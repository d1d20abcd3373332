//! Who is told: filters, headers, addresses that are refused, TLS (K7, K11).

use crate::receiver::Receiver;
use crate::support::server::{TestServer, config};
use crate::support::sign::Keys;
use crate::{app_with, everything, names, only, quick, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use shardcast::app::{Webhook, WebhookKind};
use shardcast::server::config::Config;
use shardcast::server::{Server, ServerError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const OCCUPIED: &[WebhookKind] = &[WebhookKind::ChannelOccupied];

#[test]
fn endpoints_get_what_they_asked_for() {
    // K7
    let (all, some, standard) = (Receiver::plain(), Receiver::plain(), Receiver::plain());
    let filtered = Webhook {
        channel_prefix: Some("presence-".into()),
        channel_suffix: Some("-eu".into()),
        ..only(
            some.url(),
            &[WebhookKind::MemberAdded, WebhookKind::ConnectionOpened],
        )
    };
    let usual = Webhook {
        trusted: true,
        ..Webhook::new(standard.url())
    };
    let app = app_with([everything(all.url()), filtered, usual]);
    let mut server = TestServer::start(quick([app.clone()]));
    let mut client = server.client();
    for channel in ["presence-a-eu", "presence-a-us", "presence-b-eu"] {
        client.join(&Keys::of(&app), channel, &json!({"user_id": "u"}));
    }
    client.subscribe("x-presence-a-eu");
    server.end();
    let told = some.rest(&app);
    assert_eq!(names(&told, ""), ["connection_opened"]); // no channel, no filter
    for channel in ["presence-a-eu", "presence-b-eu"] {
        assert_eq!(names(&told, channel), ["member_added"], "{told:?}");
    }
    assert_eq!(told.len(), 3);
    // Without a list of names: everything that pusher.com tells of.
    let told = standard.rest(&app);
    assert_eq!((names(&told, "").len(), told.len()), (0, 14), "{told:?}");
    assert_eq!(all.rest(&app).len(), 16);
}

#[test]
fn own_headers_are_sent() {
    // K7
    let receiver = Receiver::plain();
    let own = [
        ("Authorization", "Bearer t"),
        ("User-Agent", "mine/1"),
        ("X-Two", "a, b"),
    ];
    let app = app_with([Webhook {
        headers: own.map(|(name, value)| (name.into(), value.into())).into(),
        ..only(receiver.url(), OCCUPIED)
    }]);
    let server = TestServer::start(quick([app.clone()]));
    server.client().subscribe("a");
    let got = receiver.next();
    got.events(&app);
    for (name, value) in own {
        assert_eq!(got.header(&name.to_lowercase()), value);
    }
    assert_eq!(got.header("host"), format!("127.0.0.1:{}", receiver.port()));
}

#[test]
fn a_name_that_leads_where_it_must_not_is_not_called() {
    // A tenant's endpoint, by name: only its address tells that it is private.
    let receiver = Receiver::plain();
    let url = format!("http://localhost:{}/", receiver.port());
    let tenants = Webhook {
        trusted: false,
        ..only(url.clone(), OCCUPIED)
    };
    let app = app_with([tenants]);
    let mut server = TestServer::start(Config {
        webhook_give_up_ms: 100,
        ..quick([app])
    });
    let counts = server.webhooks();
    server.client().subscribe("a");
    wait_until(|| counts.totals().given_up > 0);
    server.end();
    assert!(receiver.here().is_none());
    assert_eq!(counts.totals().delivered, 0);

    // The same one of an operator.
    let app = app_with([only(url, OCCUPIED)]);
    let server = TestServer::start(quick([app.clone()]));
    server.client().subscribe("a");
    assert_eq!(receiver.next().events(&app).len(), 1);
}

#[test]
fn a_written_address_that_is_refused_keeps_the_server_from_starting() {
    for (url, trusted, reason) in [
        ("http://169.254.169.254/latest", true, "metadata"),
        ("http://[fe80::1]/", true, "link-local"),
        ("http://0.0.0.0/", true, "nobody"),
        ("http://127.0.0.1/", false, "private"),
        ("http://[::ffff:10.0.0.1]/", false, "private"),
        ("not a url", true, "expected a URL"),
    ] {
        let app = app_with([Webhook {
            trusted,
            ..Webhook::new(url)
        }]);
        let started = Server::builder().config(config([app])).start();
        match started {
            Err(error @ ServerError::Webhook(_)) => {
                let text = error.to_string();
                assert!(text.starts_with("webhook 0 of app 1001: "), "{text}");
                assert!(text.contains(reason), "{text}");
                assert_eq!(error.exit_code(), 78);
            }
            other => panic!("{url}: {other:?}"),
        }
    }
}

/// A receiver whose certificate was signed by an authority that nobody knows, and that authority's
/// file.
fn secret_receiver() -> (Receiver, CaFile) {
    let mut params = CertificateParams::new([]).expect("no names are good names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks them")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("they belong together");
    let name = format!(
        "shardcast-ca-{}-{:?}.pem",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, authority.pem()).expect("the temporary directory takes files");
    (Receiver::secret(config), CaFile(path))
}

struct CaFile(PathBuf);

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn https_is_spoken_with_whom_an_authority_vouches_for() {
    let (receiver, ca_file) = secret_receiver();
    let url = format!("https://localhost:{}/hook", receiver.port());
    let app = app_with([only(url, OCCUPIED)]);
    let server = TestServer::start(Config {
        webhook_ca_file: Some(ca_file.0.clone()),
        ..quick([app.clone()])
    });
    server.client().subscribe("a");
    let got = receiver.next();
    assert_eq!(names(&got.events(&app), "a"), ["channel_occupied"]);
    assert_eq!(got.header("host"), format!("localhost:{}", receiver.port()));
}

#[test]
fn https_is_not_spoken_with_anybody_else() {
    for host in ["localhost", "127.0.0.1"] {
        let (receiver, ca_file) = secret_receiver();
        let url = format!("https://{host}:{}/hook", receiver.port());
        let app = app_with([only(url, OCCUPIED)]);
        // Nobody vouches for the one; the other's certificate is for another name.
        let known = (host == "127.0.0.1").then(|| ca_file.0.clone());
        let mut server = TestServer::start(Config {
            webhook_ca_file: known,
            webhook_give_up_ms: 100,
            ..quick([app])
        });
        let counts = server.webhooks();
        server.client().subscribe("a");
        wait_until(|| counts.totals().given_up > 0);
        server.end();
        assert!(receiver.here().is_none(), "{host}");
    }
}

#[test]
fn a_file_of_authorities_that_is_none_keeps_the_server_from_starting() {
    let app = app_with([everything("https://a.example/".into())]);
    let config = Config {
        webhook_ca_file: Some("/nonexistent/ca.pem".into()),
        ..config([app])
    };
    match Server::builder().config(config).start() {
        Err(ServerError::Webhook(reason)) => {
            assert!(reason.contains("/nonexistent/ca.pem"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
