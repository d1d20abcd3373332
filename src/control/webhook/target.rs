//! Where a webhook goes: its URL taken apart, and which addresses it may lead to.
//!
//! A name is resolved for each try and the address that was looked at is the one connected to, so
//! that no name can show one address and lead to another. Whoever may write a URL into an app's
//! settings must not reach what only this machine can reach.

use hyper::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A URL, ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub(super) tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    /// The TCP port.
    pub(super) port: u16,
    /// What the `Host` header says.
    pub(super) authority: String,
    /// What stands in the request line.
    pub(super) path: Uri,
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// The reason it is refused, which never repeats it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected a URL such as https://example.com/hook, in ASCII";
        let uri: Uri = url.parse().map_err(|_| EXPECTED)?;
        let (tls, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err("expected a URL that begins with http:// or https://"),
        };
        let authority = uri.authority().ok_or(EXPECTED)?;
        if authority.as_str().contains('@') {
            return Err("a URL may hold no credentials; put them into a header");
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == authority.host() => usual_port,
            None => return Err(EXPECTED), // a port that is none
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || port == 0 {
            return Err(EXPECTED);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            authority: match port == usual_port {
                true => authority.host().to_owned(),
                false => format!("{}:{port}", authority.host()),
            },
            path: format!("{slash}{path}").parse().map_err(|_| EXPECTED)?,
        })
    }

    /// Whether its address, if it is written out, may be connected to.
    ///
    /// # Errors
    /// What kind of address it is.
    pub fn check(&self, trusted: bool) -> Result<(), &'static str> {
        match self.host.parse() {
            Ok(address) => check(address, trusted),
            Err(_) => Ok(()),
        }
    }

    /// Scheme, host and port: what a log line may show. A path may hold a token.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

/// The addresses that may be connected to.
///
/// # Errors
/// Why there is none, if there was one at all.
pub(super) fn usable(
    addresses: impl Iterator<Item = SocketAddr>,
    trusted: bool,
) -> Result<Vec<SocketAddr>, &'static str> {
    let mut refused = "it has no address";
    let mut usable = Vec::new();
    for address in addresses {
        match check(address.ip(), trusted) {
            Ok(()) => usable.push(address),
            Err(reason) => refused = reason,
        }
    }
    match usable.is_empty() {
        true => Err(refused),
        false => Ok(usable),
    }
}

/// Whether an address may be connected to; `trusted` for endpoints that an operator wrote down.
fn check(address: IpAddr, trusted: bool) -> Result<(), &'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => check_v4(address, trusted),
        IpAddr::V6(address) => match embedded(address) {
            Some(within) => check_v4(within, trusted),
            None => check_v6(address, trusted),
        },
    }
}

const METADATA: &str = "it leads to a metadata service, which is never allowed";
const LINK_LOCAL: &str = "it leads to a link-local address, which is never allowed";
const NOBODY: &str = "it leads to an address that is nobody's own, which is never allowed";
const PRIVATE: &str = "it leads to a private address, which only an operator may allow";

fn check_v4(address: Ipv4Addr, trusted: bool) -> Result<(), &'static str> {
    // Of most clouds, of Alibaba, of Oracle, and the host below a machine of Azure.
    const METADATA_V4: [[u8; 4]; 4] = [
        [169, 254, 169, 254],
        [100, 100, 100, 200],
        [192, 0, 0, 192],
        [168, 63, 129, 16],
    ];
    let octets = address.octets();
    let is_private = match octets {
        [10 | 127, ..] | [192, 168, ..] | [198, 18 | 19, ..] | [192, 0, 0, _] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [100, second, ..] => second & 0xc0 == 64,
        _ => false,
    };
    match octets {
        _ if METADATA_V4.contains(&octets) => Err(METADATA),
        [169, 254, ..] => Err(LINK_LOCAL),
        [0 | 224..=255, ..] => Err(NOBODY), // unspecified, multicast, reserved, broadcast
        _ if is_private && !trusted => Err(PRIVATE),
        _ => Ok(()),
    }
}

fn check_v6(address: Ipv6Addr, trusted: bool) -> Result<(), &'static str> {
    const METADATA_V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    let [first, second, third, ..] = address.segments();
    // Where an own NAT64 keeps the IPv4 address is for its operator to say (RFC 8215).
    let is_own_nat64 = [first, second, third] == [0x64, 0xff9b, 1];
    let is_private = address.is_loopback()
        || is_own_nat64
        || first & 0xfe00 == 0xfc00
        || first & 0xffc0 == 0xfec0;
    if METADATA_V6.contains(&address) {
        Err(METADATA)
    } else if first & 0xffc0 == 0xfe80 {
        Err(LINK_LOCAL)
    } else if address.is_unspecified() || address.is_multicast() {
        Err(NOBODY)
    } else if is_private && !trusted {
        Err(PRIVATE)
    } else {
        Ok(())
    }
}

/// The IPv4 address that one of IPv6 stands for: through NAT64, 6to4, Teredo, SIIT, or the old
/// compatible form.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let (high, low) = match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        [0x2001, 0, ..] => (!high, !low),
        [0, 0, 0, 0, 0xffff, 0] => (high, low),
        [0, 0, 0, 0, 0, 0] if high != 0 => (high, low),
        _ => return None,
    };
    let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"))
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, tls, host, port, authority, path) in [
            ("http://a.example", false, "a.example", 80, "a.example", "/"),
            (
                "https://a.example/h?k=v",
                true,
                "a.example",
                443,
                "a.example",
                "/h?k=v",
            ),
            (
                "https://a.example:80/",
                true,
                "a.example",
                80,
                "a.example:80",
                "/",
            ),
            (
                "http://127.0.0.1:3000/x",
                false,
                "127.0.0.1",
                3000,
                "127.0.0.1:3000",
                "/x",
            ),
            (
                "http://[::1]:3000/x",
                false,
                "::1",
                3000,
                "[::1]:3000",
                "/x",
            ),
            (
                "http://a.example:80?x",
                false,
                "a.example",
                80,
                "a.example",
                "/?x",
            ),
        ] {
            let target = parsed(url);
            assert_eq!(
                (
                    target.tls,
                    &target.host[..],
                    target.port,
                    &target.authority[..]
                ),
                (tls, host, port, authority),
                "{url}"
            );
            assert_eq!(target.path.to_string(), path, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "",
            "/hook",
            "a.example/hook",
            "ftp://a.example/",
            "http://",
            "http:///x",
            "http://a b/",
            "http://a.example:0/",
            "http://a.example:70000/",
            "http://user:canary@a.example/",
            "http://ü.example/",
        ] {
            let reason = Target::parse(url).expect_err(url);
            assert!(!reason.contains("canary"), "{reason}");
        }
    }

    #[test]
    fn a_log_line_shows_no_path() {
        let target = parsed("https://a.example:8443/hook?token=canary");
        assert_eq!(target.shown(), "https://a.example:8443");
    }

    #[test]
    fn some_addresses_are_refused_to_everybody() {
        for address in [
            "169.254.169.254",
            "169.254.1.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "2001:0:1:2:3:4:5601:5601",
            "64:ff9b::168.63.129.16",
        ] {
            let address: IpAddr = address.parse().unwrap();
            for trusted in [true, false] {
                assert!(check(address, trusted).is_err(), "{address} {trusted}");
            }
        }
    }

    #[test]
    fn private_addresses_are_for_operators() {
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "192.0.0.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:0a00:0001::",
            "::ffff:0:127.0.0.1",
            "2001:0:1:2:3:4:f5ff:fffe",
            "64:ff9b:1::10.0.0.1",
            "64:ff9b:1:a00:0:100::",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(check(address, false), Err(PRIVATE), "{address}");
            assert_eq!(check(address, true), Ok(()), "{address}");
        }
    }

    #[test]
    fn everybody_may_use_the_rest() {
        for address in [
            "1.1.1.1",
            "172.15.255.255",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2002:0101:0101::",
            "64:ff9b::1.1.1.1",
            "::ffff:1.1.1.1",
            "::ffff:0:1.1.1.1",
            "2001:0:1:2:3:4:fefe:fefe",
            "2001:db8::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(check(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn of_many_addresses_the_good_ones_are_used() {
        let all = ["10.0.0.1:80", "169.254.169.254:80", "1.1.1.1:80"]
            .map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(usable(all.into_iter(), false), Ok(vec![all[2]]));
        assert_eq!(usable(all.into_iter(), true), Ok(vec![all[0], all[2]]));
        assert_eq!(usable(all[1..2].iter().copied(), true), Err(METADATA));
        assert!(usable(std::iter::empty(), true).is_err());
    }

    #[test]
    fn a_written_address_is_checked_at_once() {
        for (url, trusted, untrusted) in [
            ("http://127.0.0.1/", true, false),
            ("http://[::1]/", true, false),
            ("http://169.254.169.254/latest", false, false),
            ("http://[fe80::1]/", false, false),
            ("http://1.1.1.1/", true, true),
            ("http://localhost/", true, true), // looked at when it is resolved
        ] {
            let target = parsed(url);
            assert_eq!(target.check(true).is_ok(), trusted, "{url}");
            assert_eq!(target.check(false).is_ok(), untrusted, "{url}");
        }
    }
}
