//! A connection to a server, in clear or over TLS.
//!
//! It waits, so it is for commands only. Invariant: over TLS nothing is sent to who could not show
//! that it is the server: by an authority that is believed, or by the certificate of the server's
//! own configuration.

use super::ending::Failure;
use super::reach::{Place, Trust};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring::default_provider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long one address may take to accept, and the server to answer a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes to and from a server.
pub(super) enum Stream {
    /// As they are.
    Clear(TcpStream),
    /// Encrypted.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Sets how long a read waits.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn patience(&self, time: Duration) -> io::Result<()> {
        let tcp = match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        };
        tcp.set_read_timeout(Some(time))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Connects, and agrees on TLS where that is spoken.
///
/// # Errors
/// When nobody is there, or it cannot be shown who.
pub(super) fn stream(place: &Place) -> Result<Stream, Failure> {
    let tcp = tcp(place)?;
    let unreachable = |error| unreachable(place, &error);
    tcp.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
    let Some(trust) = &place.tls else {
        return Ok(Stream::Clear(tcp));
    };
    let connection = ClientConnection::new(tls(trust)?, server_name(place)?);
    let connection = connection.map_err(|error| no_tls(place, error))?;
    let mut tls = StreamOwned::new(connection, tcp);
    while tls.conn.is_handshaking() {
        let moved = tls.conn.complete_io(&mut tls.sock);
        moved.map_err(|error| no_tls(place, error))?;
    }
    Ok(Stream::Tls(Box::new(tls)))
}

/// Connects to the first address that accepts.
///
/// # Errors
/// When none does.
pub(super) fn tcp(place: &Place) -> Result<TcpStream, Failure> {
    let unreachable = |error| unreachable(place, &error);
    let addresses = (&place.host[..], place.port).to_socket_addrs();
    let mut last = io::Error::other("the name has no address");
    for address in addresses.map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut tcp) => {
                tcp.set_nodelay(true).map_err(unreachable)?;
                if place.expects_proxy {
                    // It asks for itself.
                    tcp.write_all(b"PROXY UNKNOWN\r\n").map_err(unreachable)?;
                }
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// What is said when nobody is there.
pub(super) fn unreachable(place: &Place, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; is the server running there? If it is elsewhere, say so with --port, --config or \
             --url"
        }
        _ => "",
    };
    Failure::unavailable(format!("cannot reach {place}: {error}{hint}"))
}

/// What is said when TLS cannot be agreed on.
pub(super) fn no_tls(place: &Place, error: impl std::error::Error) -> Failure {
    Failure::unavailable(format!("cannot speak TLS with {place}: {error}"))
}

/// The name that the server has to be.
///
/// # Errors
/// When it is none.
pub(super) fn server_name(place: &Place) -> Result<ServerName<'static>, Failure> {
    let name = ServerName::try_from(place.host.clone());
    name.map_err(|error| no_tls(place, error))
}

/// What agrees on TLS.
///
/// # Errors
/// When a file of certificates cannot be used.
pub(super) fn tls(trust: &Trust) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &trust.authorities {
        let refused = |reason| Failure::config(format!("--ca {}: {reason}", path.display()));
        for certificate in certificates(path).map_err(refused)? {
            let added = roots.add(certificate);
            added.map_err(|error| refused(error.to_string()))?;
        }
    }
    let provider = Arc::new(default_provider());
    let by_authority = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
    let own = trust.shown.iter();
    // One that cannot be read here is not believed; who needs it is told that it is not known.
    let own = own.filter_map(|path| certificates(path).ok()?.into_iter().next());
    let verifier = Verifier {
        own: own.collect(),
        // Without any authority there is nothing to ask it.
        by_authority: by_authority.build().ok(),
        provider: provider.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::internal(format!("TLS cannot be used: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(all) if !Vec::is_empty(&all) => Ok(all),
        Ok(_) => Err("it holds no certificate in PEM".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Believes the server's own certificates, and otherwise whom an authority vouches for.
#[derive(Debug)]
struct Verifier {
    own: Vec<CertificateDer<'static>>,
    by_authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.iter().any(|own| own == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.by_authority {
            Some(known) => known.verify_server_cert(shown, chain, name, stapled, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, shown, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
