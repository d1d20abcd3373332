//! What every shard shows to new clients, and where it is replaced.

use super::pair::Pair;
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::ServerName;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerConfig,
};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// What is spoken in TLS. Whoever offers something, but not this, is refused by TLS already.
const HTTP: &[u8] = b"http/1.1";

/// Tickets that a client gets to come back with: it opens one connection.
const TICKETS: usize = 1;

/// What every shard shows to new clients: one of some pairs, by the name that they ask for.
///
/// It is shared by all threads. A connection keeps what it began with.
pub struct Store {
    config: ArcSwap<ServerConfig>,
    provider: Arc<CryptoProvider>,
    /// Kept over all pairs, so that clients come back quickly after they were replaced.
    tickets: Arc<dyn ProducesTickets>,
}

/// TLS cannot be spoken at all on this machine.
#[derive(Debug)]
pub struct TlsUnusable(rustls::Error);

impl fmt::Display for TlsUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS cannot be used: {}", self.0)
    }
}

impl std::error::Error for TlsUnusable {}

impl Store {
    /// With these pairs. The first is for clients that ask for no name, or for a name that no
    /// certificate is for; the others for the names of their certificates, the first that fits.
    ///
    /// # Errors
    /// [`TlsUnusable`], such as without a source of random numbers.
    ///
    /// # Panics
    /// When there is no pair.
    pub fn new(pairs: Vec<Pair>) -> Result<Self, TlsUnusable> {
        let provider = Arc::new(default_provider());
        let tickets = Ticketer::new().map_err(TlsUnusable)?;
        let config = config(pairs, &provider, &tickets).map_err(TlsUnusable)?;
        Ok(Self {
            config: ArcSwap::from_pointee(config),
            provider,
            tickets,
        })
    }

    /// Shows other pairs from now on.
    ///
    /// # Errors
    /// As [`Store::new`]; then what was shown is shown on.
    ///
    /// # Panics
    /// As there.
    pub fn replace(&self, pairs: Vec<Pair>) -> Result<(), TlsUnusable> {
        let config = config(pairs, &self.provider, &self.tickets).map_err(TlsUnusable)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// What a connection that begins now is made with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

fn config(
    pairs: Vec<Pair>,
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, rustls::Error> {
    assert!(!pairs.is_empty(), "there is a pair to show");
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(pairs)));
    config.alpn_protocols = vec![HTTP.to_vec()];
    // What it takes to come back is with the client: no shard asks another.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::clone(tickets);
    config.send_tls13_tickets = TICKETS;
    Ok(config)
}

/// Chooses by the name that a client asks for.
#[derive(Debug)]
struct ByName(Vec<Pair>);

impl ByName {
    fn choose(&self, name: Option<&str>) -> &Pair {
        let default = &self.0[0];
        if self.0.len() == 1 {
            return default;
        }
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let fits = |name: &ServerName<'_>| self.0.iter().find(|pair| pair.is_for(name));
        name.as_ref().and_then(fits).unwrap_or(default)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.choose(hello.server_name()).certified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    fn pair(names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let Made { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = signing_key.serialize_pem();
        Pair::from_pem(cert.pem().as_bytes(), key.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_pair_that_is_for_the_name_is_shown_or_else_the_first() {
        let pairs = [
            pair(&["main.example"]),
            pair(&["a.example", "*.a.example"]),
            pair(&["*.a.example", "b.example"]),
        ];
        let choice = ByName(pairs.to_vec());
        for (name, wanted) in [
            (None, 0),
            (Some("main.example"), 0),
            (Some("a.example"), 1),
            (Some("x.a.example"), 1),
            (Some("b.example"), 2),
            (Some("unknown.example"), 0),
            (Some("not a name"), 0),
        ] {
            assert!(choice.choose(name).is_same(&pairs[wanted]), "{name:?}");
        }
    }

    #[test]
    fn what_was_begun_with_is_kept_and_tickets_outlive_it() {
        let store = Store::new(vec![pair(&["a.example"])]).unwrap();
        let before = store.config();
        store.replace(vec![pair(&["a.example"])]).unwrap();
        let after = store.config();
        assert!(!Arc::ptr_eq(&before, &after));
        let ticket = before.ticketer.encrypt(b"who it was").unwrap();
        assert_eq!(after.ticketer.decrypt(&ticket).unwrap(), b"who it was");
    }

    #[test]
    #[should_panic(expected = "there is a pair to show")]
    fn nothing_to_show_is_a_mistake() {
        let _ = Store::new(Vec::new());
    }
}
