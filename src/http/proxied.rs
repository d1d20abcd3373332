//! What a proxy tells of the client behind it: the PROXY protocol in front of the first request,
//! and `X-Forwarded-For` in each.
//!
//! Whether a proxy may be believed is the caller's to know: anybody can write these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header of the PROXY protocol that is read: what version 2 has beside the addresses is
/// passed over.
pub const PROXY_HEADER_MAX: usize = 4096;

/// Longest header of version 1, its line break included.
const LINE_MAX: usize = 107;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The bytes are no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProxied;

/// Reads a header of version 1 or 2 from the front of `bytes`: its length, and where the client is
/// if the proxy says so. `None` when more bytes are needed.
///
/// # Errors
/// [`NotProxied`], as early as the bytes say so.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, NotProxied> {
    let begun = &bytes[..bytes.len().min(SIGNATURE.len())];
    match SIGNATURE.starts_with(begun) {
        true if begun.len() == SIGNATURE.len() => binary(bytes),
        true => Ok(None),
        false => line(bytes),
    }
}

/// Version 1: `PROXY TCP4 source destination port port`.
fn line(bytes: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, NotProxied> {
    const START: &[u8] = b"PROXY ";
    let begun = &bytes[..bytes.len().min(START.len())];
    if !START.starts_with(begun) {
        return Err(NotProxied);
    }
    let seen = &bytes[..bytes.len().min(LINE_MAX)];
    let Some(end) = memchr::memmem::find(seen, b"\r\n") else {
        return if seen.len() == LINE_MAX {
            Err(NotProxied)
        } else {
            Ok(None)
        };
    };
    let text = std::str::from_utf8(&bytes[START.len()..end]).map_err(|_| NotProxied)?;
    let mut parts = text.split(' ');
    let family = parts.next().ok_or(NotProxied)?;
    if family == "UNKNOWN" {
        return Ok(Some((end + 2, None)));
    }
    let mut ip = || -> Result<IpAddr, NotProxied> {
        let ip: IpAddr = parts
            .next()
            .and_then(|it| it.parse().ok())
            .ok_or(NotProxied)?;
        match (family, ip) {
            ("TCP4", IpAddr::V4(_)) | ("TCP6", IpAddr::V6(_)) => Ok(ip),
            _ => Err(NotProxied),
        }
    };
    let (source, _) = (ip()?, ip()?);
    let mut port = || {
        parts
            .next()
            .and_then(|it| it.parse::<u16>().ok())
            .ok_or(NotProxied)
    };
    let (source_port, _) = (port()?, port()?);
    match parts.next() {
        Some(_) => Err(NotProxied),
        None => Ok(Some((end + 2, Some(SocketAddr::new(source, source_port))))),
    }
}

/// Version 2, which is binary.
fn binary(bytes: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, NotProxied> {
    const HEAD: usize = 16;
    let Some(head) = bytes.get(..HEAD) else {
        return match bytes.get(12) {
            Some(0x20 | 0x21) | None => Ok(None),
            Some(_) => Err(NotProxied),
        };
    };
    let is_local = match head[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(NotProxied),
    };
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if HEAD + length > PROXY_HEADER_MAX {
        return Err(NotProxied);
    }
    let Some(rest) = bytes.get(HEAD..HEAD + length) else {
        return Ok(None);
    };
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let source = match head[13] {
        _ if is_local => None, // the proxy itself asks, for its own purposes
        0x11 => {
            let ip: [u8; 4] = rest
                .get(..4)
                .and_then(|it| it.try_into().ok())
                .ok_or(NotProxied)?;
            let _whole = rest.get(..12).ok_or(NotProxied)?;
            Some(SocketAddr::new(Ipv4Addr::from(ip).into(), port(8)))
        }
        0x21 => {
            let ip: [u8; 16] = rest
                .get(..16)
                .and_then(|it| it.try_into().ok())
                .ok_or(NotProxied)?;
            let _whole = rest.get(..36).ok_or(NotProxied)?;
            Some(SocketAddr::new(Ipv6Addr::from(ip).into(), port(32)))
        }
        _ => None,
    };
    Ok(Some((HEAD + length, source)))
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let asked: IpAddr = base.parse().ok()?;
        let base = asked.to_canonical();
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            // A network of mapped addresses is one of IPv4, as its members are.
            Some(bits) if base != asked => bits.checked_sub(128 - most)?,
            Some(bits) => bits,
            None => most,
        };
        let network = Self { base, bits };
        // A bit that is set behind the mask is a mistake: less is meant, or more.
        (bits <= most && network.masked(base) == base).then_some(network)
    }

    /// Whether an address is one of these. One of IPv4 that came in over IPv6 is one of IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.masked(ip.to_canonical()) == self.base
    }

    /// The address with only the first bits left; one of the other kind is nobody's.
    fn masked(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) if self.base.is_ipv4() => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                Ipv4Addr::from(u32::from(ip) & mask).into()
            }
            IpAddr::V6(ip) if self.base.is_ipv6() => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or(0);
                Ipv6Addr::from(u128::from(ip) & mask).into()
            }
            other => other,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Where the client is, by the fields `X-Forwarded-For` of a request that came from `peer`: the
/// last address that was not written by somebody trusted. Each proxy adds at the end whom it was
/// asked by, so what stands in front of that is what a client has written itself.
///
/// A port is 0 where none is told.
#[must_use]
pub fn forwarded_for<'a>(
    peer: SocketAddr,
    fields: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[Network],
) -> SocketAddr {
    let is_trusted = |ip| trusted.iter().any(|network| network.contains(ip));
    let mut found = peer;
    let entries = fields
        .rev()
        .flat_map(|field| field.rsplit(|byte| *byte == b','));
    for entry in entries {
        if !is_trusted(found.ip()) {
            break;
        }
        match std::str::from_utf8(entry)
            .ok()
            .and_then(|it| address(it.trim()))
        {
            Some(address) => found = address,
            None => break,
        }
    }
    found
}

/// An address as proxies write it: with a port or without, of IPv6 in brackets or not.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip = bare.unwrap_or(text).parse();
    ip.map(|ip| SocketAddr::new(ip, 0))
        .or_else(|_| text.parse())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn v4() -> Vec<u8> {
        binary(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80])
    }

    #[test]
    fn lines_of_version_1() {
        let read = |text: &str| proxy_header(text.as_bytes());
        let line = "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n";
        let length = line.len();
        let found = Ok(Some((length, Some(at("192.0.2.7:4660")))));
        assert_eq!(read(line), found);
        assert_eq!(read(&format!("{line}GET / HTTP/1.1\r\n")), found);
        let six = "PROXY TCP6 2001:db8::7 ::1 65535 443\r\n";
        let source = Some(at("[2001:db8::7]:65535"));
        assert_eq!(read(six), Ok(Some((six.len(), source))));
        assert_eq!(read("PROXY UNKNOWN\r\nGET"), Ok(Some((15, None))));
        assert_eq!(read("PROXY UNKNOWN ff::1 x\r\n"), Ok(Some((23, None))));
        for bad in [
            "GET / HTTP/1.1\r\n",
            "PROXY\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4660\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80 1\r\n",
            "PROXY TCP4 ::1 ::1 4660 80\r\n",
            "PROXY TCP6 192.0.2.7 10.0.0.1 4660 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 65536 80\r\n",
            "PROXY TCP5 192.0.2.7 10.0.0.1 1 80\r\n",
            "PROXY TCP4 192.0.2.777 10.0.0.1 1 80\r\n",
            "proxy TCP4 192.0.2.7 10.0.0.1 1 80\r\n",
        ] {
            assert_eq!(read(bad), Err(NotProxied), "{bad}");
        }
    }

    #[test]
    fn a_line_is_as_long_as_the_standard_says_and_no_longer() {
        let of = |length: usize| {
            let fill = "x".repeat(length - "PROXY UNKNOWN \r\n".len());
            format!("PROXY UNKNOWN {fill}\r\n")
        };
        assert_eq!(proxy_header(of(107).as_bytes()), Ok(Some((107, None))));
        assert_eq!(proxy_header(of(108).as_bytes()), Err(NotProxied));
    }

    #[test]
    fn headers_of_version_2() {
        let source = Some(at("192.0.2.7:4660"));
        assert_eq!(proxy_header(&v4()), Ok(Some((28, source))));
        let six = [
            &[0x20, 1, 0xd, 0xb8][..],
            &[0; 11],
            &[7],
            &[0; 16],
            &[1, 2, 0, 80],
        ]
        .concat();
        let six = binary(0x21, 0x21, &six);
        let source = Some(at("[2001:db8::7]:258"));
        assert_eq!(proxy_header(&six), Ok(Some((52, source))));
        // A check of the proxy's own, a family without addresses, and more than is asked for.
        assert_eq!(proxy_header(&binary(0x20, 0, &[])), Ok(Some((16, None))));
        assert_eq!(
            proxy_header(&binary(0x21, 0x31, &[1; 216])),
            Ok(Some((232, None)))
        );
        let most = PROXY_HEADER_MAX - 16;
        assert_eq!(
            proxy_header(&binary(0x20, 0, &vec![0; most])),
            Ok(Some((PROXY_HEADER_MAX, None)))
        );
        assert_eq!(
            proxy_header(&binary(0x20, 0, &vec![0; most + 1])),
            Err(NotProxied)
        );
        assert_eq!(proxy_header(&binary(0x22, 0x11, &[0; 12])), Err(NotProxied));
        assert_eq!(proxy_header(&binary(0x11, 0x11, &[0; 12])), Err(NotProxied));
        assert_eq!(proxy_header(&binary(0x21, 0x11, &[0; 11])), Err(NotProxied));
        assert_eq!(proxy_header(&binary(0x21, 0x21, &[0; 35])), Err(NotProxied));
    }

    #[test]
    fn a_header_may_come_in_pieces() {
        for whole in [v4(), b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec()] {
            for cut in 0..whole.len() {
                assert_eq!(proxy_header(&whole[..cut]), Ok(None), "{cut}");
            }
            assert!(proxy_header(&whole).is_ok_and(|found| found.is_some()));
        }
    }

    #[test]
    fn networks() {
        let contains = |network: &str, ip: &str| {
            Network::parse(network)
                .unwrap()
                .contains(ip.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("127.0.0.1", "127.0.0.1") && !contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "::1") && !contains("::/0", "1.2.3.4"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe00::"));
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1/8",
            "10.0.0.0/",
            "x/8",
            "10.0.0.0/-1",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        assert_eq!(Network::parse("::1").unwrap().to_string(), "::1/128");
    }

    #[test]
    fn only_what_trusted_proxies_wrote_counts() {
        // R19
        let trusted = ["10.0.0.0/8", "127.0.0.1"].map(|it| Network::parse(it).unwrap());
        let of = |peer: &str, fields: &[&str]| {
            let fields = fields.iter().map(|field| field.as_bytes());
            forwarded_for(at(peer), fields, &trusted).to_string()
        };
        assert_eq!(of("127.0.0.1:9", &[]), "127.0.0.1:9");
        assert_eq!(of("127.0.0.1:9", &["192.0.2.7"]), "192.0.2.7:0");
        assert_eq!(
            of("192.0.2.9:9", &["192.0.2.7"]),
            "192.0.2.9:9",
            "no proxy of ours"
        );
        assert_eq!(
            of("127.0.0.1:9", &["198.51.100.1, 192.0.2.7"]),
            "192.0.2.7:0",
            "spoofed"
        );
        assert_eq!(
            of("127.0.0.1:9", &["192.0.2.7, 10.0.0.3"]),
            "192.0.2.7:0",
            "two proxies"
        );
        assert_eq!(
            of("127.0.0.1:9", &["192.0.2.7", "10.0.0.3"]),
            "192.0.2.7:0",
            "two fields"
        );
        assert_eq!(
            of("127.0.0.1:9", &["10.0.0.5,10.0.0.3"]),
            "10.0.0.5:0",
            "all are proxies"
        );
        assert_eq!(of("127.0.0.1:9", &["192.0.2.7, junk"]), "127.0.0.1:9");
        assert_eq!(of("127.0.0.1:9", &["junk, 10.0.0.3"]), "10.0.0.3:0");
        assert_eq!(of("127.0.0.1:9", &["192.0.2.7:81"]), "192.0.2.7:81");
        assert_eq!(of("127.0.0.1:9", &["[2001:db8::7]:81"]), "[2001:db8::7]:81");
        assert_eq!(of("127.0.0.1:9", &["[2001:db8::7]"]), "[2001:db8::7]:0");
        assert_eq!(of("127.0.0.1:9", &["2001:db8::7"]), "[2001:db8::7]:0");
        assert_eq!(of("[::ffff:127.0.0.1]:9", &["192.0.2.7"]), "192.0.2.7:0");
    }
}
