//! The address that a load is put on.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A resolved `ws://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// What the `Host` header says.
    pub host: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let host = url
            .strip_prefix("ws://")
            .ok_or("expected ws://HOST:PORT; TLS is not spoken here")?
            .trim_end_matches('/');
        let address = host
            .to_socket_addrs()
            .map_err(|error| format!("expected ws://HOST:PORT: {error}"))?
            .next()
            .ok_or("the name has no address")?;
        let host = host.to_owned();
        Ok(Self { address, host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let target: Target = "ws://127.0.0.1:6001/".parse().unwrap();
        assert_eq!(target.address, "127.0.0.1:6001".parse().unwrap());
        assert_eq!(target.host, "127.0.0.1:6001");
        for wrong in [
            "",
            "http://127.0.0.1:1",
            "ws://127.0.0.1",
            "wss://127.0.0.1:1",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
