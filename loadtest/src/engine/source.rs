//! Room on this machine: the addresses that connections come from, and their descriptors.

use crate::target::Target;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections from one address of this machine. Some 28,000 ports are there by default.
const PER_ADDRESS: usize = 20_000;

/// Descriptors that are needed besides one for each connection.
const DESCRIPTORS_SPARE: u64 = 32;

/// Descriptors that a server may need besides one for each connection.
const DESCRIPTORS_SERVER: u64 = 200;

/// Where connection `number` of `count` comes from: the kernel's choice, unless one address of this
/// machine has not ports enough for all.
///
/// # Errors
/// When the target is another machine, or there are more than all addresses have ports for.
pub fn source(target: &Target, number: usize, count: usize) -> io::Result<Option<SocketAddr>> {
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

/// Raises this process's limit on open files for `count` connections.
///
/// # Errors
/// When the hard limit is lower.
pub fn allow_descriptors(count: usize) -> io::Result<()> {
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

/// Raises this process's limit on open files as far as it may, for itself and for what it starts.
/// Says how many connections there is room for, at most `wanted`.
///
/// # Errors
/// When the kernel refuses.
pub fn allow_all_descriptors(wanted: u32) -> io::Result<u32> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit)?;
    // The server needs more than the tester: it has files and rings of its own.
    let room = maximum.map_or(u64::MAX, |maximum| {
        maximum.saturating_sub(DESCRIPTORS_SERVER)
    });
    Ok(u32::try_from(room).map_or(wanted, |room| room.min(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_change_before_their_ports_run_out() {
        let target: Target = "ws://127.0.0.1:6001".parse().unwrap();
        let of = |number| {
            source(&target, number, 100_000)
                .unwrap()
                .unwrap()
                .to_string()
        };
        assert_eq!(of(19_999), "127.0.0.1:0");
        assert_eq!(of(20_000), "127.0.0.2:0");
        assert_eq!(of(99_999), "127.0.0.5:0");
        assert_eq!(source(&target, 19_999, 20_000).unwrap(), None);
        let far = Target {
            address: "192.0.2.1:80".parse().unwrap(),
            host: String::new(),
        };
        assert!(source(&far, 0, 20_001).is_err());
        assert!(source(&target, 255 * PER_ADDRESS, 256 * PER_ADDRESS).is_err());
    }
}
