//! Where the server is reached: an address in clear, one over TLS, or both, with a listener of each
//! for each shard.

use super::config::Config;
use super::handle::{About, ServerError};
use crate::control::{CertificateFiles, Certificates};
use crate::net::{Entrance, Listener, ListenerOptions};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where the server is reached.
pub(super) struct Doors {
    /// The address of the main port.
    pub(super) address: SocketAddr,
    /// The address that TLS is spoken on, which may be the same.
    pub(super) tls_address: Option<SocketAddr>,
    /// What is shown there.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// Each shard's own listeners.
    pub(super) entrances: Vec<Vec<Entrance>>,
    /// Second handles on all of them.
    pub(super) handles: Vec<Socket>,
}

impl Doors {
    /// What is known of a server, and that it is reached here.
    pub(super) fn about(&self, about: About) -> About {
        About {
            tls_address: self.tls_address,
            certificates: self.certificates.clone(),
            ..about
        }
    }
}

/// What is shown to clients of TLS, if it is spoken.
pub(super) fn certificates(config: &Config) -> Result<Option<Certificates>, ServerError> {
    let (cert, key) = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) if config.tls_port.is_none() && config.tls_certificates.is_empty() => {
            return Ok(None);
        }
        _ => {
            let reason = "TLS needs both tls_cert and tls_key".to_owned();
            return Err(ServerError::Tls(reason));
        }
    };
    if config.proxy_protocol {
        let reason = "proxy_protocol is not read in front of TLS".to_owned();
        return Err(ServerError::Tls(reason));
    }
    let mut files = vec![CertificateFiles::new(cert, key)];
    files.extend(config.tls_certificates.iter().cloned());
    let loaded = Certificates::load(files);
    loaded
        .map(Some)
        .map_err(|error| ServerError::Tls(error.to_string()))
}

/// Listens, on as many sockets as there are shards.
pub(super) fn open(config: &Config, shards: usize) -> Result<Doors, ServerError> {
    let certificates = certificates(config)?.map(Arc::new);
    let store = certificates.as_ref().map(|it| Arc::clone(it.store()));
    let main = SocketAddr::new(config.host, config.port);
    let (main_store, tls) = match config.tls_port {
        None => (store, None),
        Some(port) => (
            None,
            store.map(|store| (SocketAddr::new(config.host, port), store)),
        ),
    };
    let listeners = listen(main, shards, config)?;
    let address = address(main, &listeners)?;
    let mut tls_address = main_store.is_some().then_some(address);
    let entrance = |listener, tls| Entrance { listener, tls };
    let mut entrances: Vec<Vec<Entrance>> = (listeners.into_iter())
        .map(|listener| vec![entrance(listener, main_store.clone())])
        .collect();
    if let Some((wanted, store)) = tls {
        let listeners = listen(wanted, shards, config)?;
        tls_address = Some(self::address(wanted, &listeners)?);
        for (own, listener) in entrances.iter_mut().zip(listeners) {
            own.push(entrance(listener, Some(Arc::clone(&store))));
        }
    }
    let handles = (entrances.iter().flatten()).map(|entrance| entrance.listener.handle());
    let handles = handles.collect::<io::Result<Vec<_>>>();
    Ok(Doors {
        address,
        tls_address,
        certificates,
        entrances,
        handles: handles.map_err(|error| ServerError::Bind(address, error))?,
    })
}

fn address(wanted: SocketAddr, listeners: &[Listener]) -> Result<SocketAddr, ServerError> {
    let address = listeners[0].local_addr();
    address.map_err(|error| ServerError::Bind(wanted, error))
}

/// One listener a shard. The first one takes the port for itself for a moment, so that a port
/// another server shares is told from a free one.
fn listen(
    address: SocketAddr,
    shards: usize,
    config: &Config,
) -> Result<Vec<Listener>, ServerError> {
    let options = ListenerOptions {
        backlog: config.backlog,
        notsent_lowat: config.notsent_lowat_bytes,
        send_buffer: config.send_buffer_bytes,
        receive_buffer: config.receive_buffer_bytes,
        ..ListenerOptions::default()
    };
    let listen = || {
        Listener::probe(address)?;
        let first = Listener::bind(address, &options)?;
        tell_of_small_buffers(config, first.buffers()?);
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..shards {
            listeners.push(Listener::bind(address, &options)?);
        }
        Ok(listeners)
    };
    listen().map_err(|error| ServerError::Bind(address, error))
}

/// The kernel gives less than it is asked for without a word.
fn tell_of_small_buffers(config: &Config, [sent, received]: [usize; 2]) {
    let asked = [
        (
            "send_buffer_bytes",
            config.send_buffer_bytes,
            sent,
            "net.core.wmem_max",
        ),
        (
            "receive_buffer_bytes",
            config.receive_buffer_bytes,
            received,
            "net.core.rmem_max",
        ),
    ];
    for (setting, wanted, given, limit) in asked {
        if wanted.is_some_and(|wanted| given < wanted) {
            let wanted = wanted.unwrap_or_default();
            tracing::warn!(
                setting,
                wanted,
                given,
                limit,
                "the kernel gives connections a smaller buffer: raise its limit"
            );
        }
    }
}
