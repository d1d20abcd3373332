//! Many clients in one thread, opened with only so many under way at a time.

use crate::client::{Client, Speech, Stage};
use crate::target::Target;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Connections that are under way at a time: fewer than any server's backlog.
const UNDER_WAY_MAX: usize = 512;

/// Connections from one address of this machine. Some 28,000 ports are there by default.
const PER_ADDRESS: usize = 20_000;

/// Descriptors that are needed besides one for each client.
const DESCRIPTORS_SPARE: u64 = 32;

/// Clients that are all subscribed.
#[derive(Debug)]
pub struct Crowd {
    clients: Vec<Client>,
}

impl Crowd {
    /// Opens `count` clients and waits until the last one is subscribed.
    ///
    /// # Errors
    /// When one of them fails, when they are not all subscribed after `timeout`, and when this
    /// machine does not let one process hold that many.
    pub fn gather(
        target: &Target,
        speech: &Speech,
        count: usize,
        timeout: Duration,
    ) -> io::Result<Self> {
        allow_descriptors(count)?;
        let deadline = Instant::now() + timeout;
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(1024);
        let mut clients: Vec<Client> = Vec::with_capacity(count);
        let mut scratch = vec![0; 16 * 1024];
        let mut subscribed = 0;
        while subscribed < count {
            while clients.len() < count && clients.len() - subscribed < UNDER_WAY_MAX {
                let number = clients.len();
                let mut client = Client::connect(target.address, source(target, number, count)?)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry()
                    .register(client.source(), Token(number), interest)?;
                clients.push(client);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("{subscribed} of {count} were subscribed in {timeout:?}");
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            match poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            for event in &events {
                let client = &mut clients[event.token().0];
                let before = client.stage();
                client.advance(speech, &mut scratch)?;
                subscribed += usize::from(before != client.stage() && is_in(client));
            }
        }
        Ok(Self { clients })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }
}

fn is_in(client: &Client) -> bool {
    client.stage() == Stage::Subscribed
}

/// Where client `number` connects from: the kernel's choice, unless one address of this machine
/// has not ports enough for all.
fn source(target: &Target, number: usize, count: usize) -> io::Result<Option<SocketAddr>> {
    if count <= PER_ADDRESS {
        return Ok(None);
    }
    let last = u8::try_from(number / PER_ADDRESS + 1).ok();
    match (target.address.ip(), last) {
        (IpAddr::V4(ip), Some(last)) if ip.is_loopback() => {
            Ok(Some((Ipv4Addr::new(127, 0, 0, last), 0).into()))
        }
        _ => Err(io::Error::other(format!(
            "{count} connections from one machine need a server on 127.0.0.1, and are at most {}",
            PER_ADDRESS * 255
        ))),
    }
}

fn allow_descriptors(count: usize) -> io::Result<()> {
    let needed = count as u64 + DESCRIPTORS_SPARE;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < needed) {
        return Err(io::Error::other(format!(
            "{count} connections need {needed} descriptors and the hard limit is {}: raise it \
             (ulimit -Hn) or open fewer",
            maximum.unwrap_or_default()
        )));
    }
    let current = Some(needed);
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_change_before_their_ports_run_out() {
        let target: Target = "ws://127.0.0.1:6001".parse().unwrap();
        let of = |number| {
            source(&target, number, 60_000)
                .unwrap()
                .unwrap()
                .to_string()
        };
        assert_eq!(of(19_999), "127.0.0.1:0");
        assert_eq!(of(20_000), "127.0.0.2:0");
        assert_eq!(of(59_999), "127.0.0.3:0");
        assert_eq!(source(&target, 19_999, 20_000).unwrap(), None);
        let far = Target {
            address: "192.0.2.1:80".parse().unwrap(),
            host: String::new(),
        };
        assert!(source(&far, 0, 20_001).is_err());
        assert!(source(&target, 255 * PER_ADDRESS, 256 * PER_ADDRESS).is_err());
    }
}
