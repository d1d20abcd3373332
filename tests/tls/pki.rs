//! Certificates of an authority of the tests' own, in files, and clients that believe it.

use crate::support::http::Http;
use crate::support::pusher::{Client, QUERY};
use crate::support::server::{TestServer, app, config};
use crate::support::websocket::Ws;
use crate::support::wire::Wire;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore};
use rustls::{SignatureScheme, SupportedProtocolVersion};
use shardcast::app::App;
use shardcast::server::config::{CertificateFiles, Config};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An authority, and a folder for what it makes.
pub struct Pki {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Pki {
    /// A new one, whose folder has the name of a test.
    pub fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{test}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer, folder }
    }

    /// What is shown to clients that ask for one of these names, as PEM, and its key.
    pub fn pem(&self, names: &[&str], last_year: i32) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    /// Where a pair of this name is.
    pub fn files(&self, name: &str) -> CertificateFiles {
        let file = |kind: &str| self.folder.join(format!("{name}.{kind}"));
        CertificateFiles::new(file("crt"), file("key"))
    }

    /// Writes a pair of this name for some host names; gives the certificate as DER.
    pub fn write(&self, name: &str, hosts: &[&str]) -> Vec<u8> {
        let pem = self.pem(hosts, 2100);
        self.put(name, &pem);
        der(&pem.0)
    }

    /// Puts a certificate and a key into the files of this name.
    pub fn put(&self, name: &str, (cert, key): &(String, String)) {
        let files = self.files(name);
        fs::write(files.cert, cert).expect("a file can be written");
        fs::write(files.key, key).expect("a file can be written");
    }

    /// A server of [`app`] that speaks TLS alone, and shows a pair for `localhost`.
    pub fn config(&self) -> Config {
        self.config_with([app()])
    }

    /// Same, of other apps.
    pub fn config_with(&self, apps: impl Into<Vec<App>>) -> Config {
        if !self.files("main").cert.exists() {
            self.write("main", &["localhost"]);
        }
        let CertificateFiles { cert, key } = self.files("main");
        Config {
            tls_cert: Some(cert),
            tls_key: Some(key),
            ..config(apps)
        }
    }

    /// Speaks both versions.
    pub fn trust(&self) -> Arc<ClientConfig> {
        self.speak(rustls::ALL_VERSIONS)
    }

    /// Speaks some versions.
    pub fn speak(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }

    /// Connects to `localhost`.
    pub fn wire(&self, address: SocketAddr) -> Wire {
        Wire::encrypted(address, &self.trust(), "localhost")
    }

    /// A client of [`app`] over TLS.
    pub fn client(&self, server: &TestServer) -> Client {
        self.client_of(server, "app-key")
    }

    /// A client of an app over TLS.
    pub fn client_of(&self, server: &TestServer, key: &str) -> Client {
        Client::greeted(self.socket_of(server, key))
    }

    /// Same, whatever it is told.
    pub fn socket_of(&self, server: &TestServer, key: &str) -> Ws {
        let address = server.handle().tls_addr().expect("it speaks TLS");
        Ws::over(self.wire(address), &format!("/app/{key}{QUERY}"))
    }

    /// A backend's connection over TLS.
    pub fn http(&self, server: &TestServer) -> Http {
        let address = server.handle().tls_addr().expect("it speaks TLS");
        let wire = self.wire(address);
        Http { wire }
    }

    /// The certificate that a client is shown who asks for this name.
    pub fn shown(&self, address: SocketAddr, name: &str) -> Vec<u8> {
        let mut config = (*self.trust()).clone();
        // Whether it is for that name is not the question here.
        let mut careless = config.dangerous();
        careless.set_certificate_verifier(Arc::new(Careless(default_provider())));
        let mut wire = Wire::encrypted(address, &Arc::new(config), name);
        wire.agree().expect("whatever is shown is taken");
        let chain = wire.tls().peer_certificates();
        chain.expect("something is shown")[0].to_vec()
    }
}

/// Believes everybody who has the key to what is shown.
#[derive(Debug)]
struct Careless(CryptoProvider);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The first thing that a client says.
pub fn hello(pki: &Pki, version: &'static SupportedProtocolVersion) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(pki.speak(&[version]), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// What a program is started with so that it speaks TLS at a port of its own.
pub fn flags(pki: &Pki) -> Vec<String> {
    let CertificateFiles { cert, key } = pki.files("main");
    let flag = |name: &str, path: &Path| format!("--tls-{name}={}", path.display());
    let port = "--tls-port=0".to_owned();
    vec![port, flag("cert", &cert), flag("key", &key)]
}

/// Where a program says that it speaks TLS.
pub fn port(banner: &str) -> SocketAddr {
    let (_, rest) = banner.split_once("wss://").expect("it says so");
    let address = rest.split('/').next().expect("something stands there");
    address.parse().expect("an address and a port")
}

/// The first certificate of a PEM file.
pub fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .expect("it is PEM")
        .to_vec()
}
