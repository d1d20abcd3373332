//! The opening handshake (RFC 6455, section 4.2): is this upgrade sound, and the key
//! of its answer.

use base64::Engine;
use sha1::{Digest, Sha1};

/// What the upgrade's own headers must say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upgrade<'a> {
    /// `Sec-WebSocket-Key`.
    pub key: Option<&'a [u8]>,
    /// `Sec-WebSocket-Version`.
    pub version: Option<&'a [u8]>,
}

/// Why an upgrade is refused before any handler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The key is missing or is not 16 bytes in base64: 400.
    Key,
    /// A version other than 13: 426 with the version we speak.
    Version,
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `Sec-WebSocket-Accept` for a sound upgrade.
///
/// # Errors
/// [`HandshakeError`] when version or key are not those of RFC 6455.
pub fn accept(upgrade: Upgrade<'_>) -> Result<String, HandshakeError> {
    if upgrade.version != Some(b"13") {
        return Err(HandshakeError::Version);
    }
    let key = upgrade.key.ok_or(HandshakeError::Key)?;
    let engine = base64::engine::general_purpose::STANDARD;
    if engine.decode(key).map(|nonce| nonce.len()) != Ok(16) {
        return Err(HandshakeError::Key);
    }
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    Ok(engine.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

    #[test]
    fn the_sample_of_the_standard() {
        let upgrade = Upgrade {
            key: Some(KEY),
            version: Some(b"13"),
        };
        assert_eq!(accept(upgrade).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn unsound_upgrades_are_refused() {
        for version in [None, Some(b"8".as_slice()), Some(b"".as_slice())] {
            assert_eq!(
                accept(Upgrade {
                    key: Some(KEY),
                    version
                }),
                Err(HandshakeError::Version)
            );
        }
        for key in [
            None,
            Some(b"".as_slice()),
            Some(b"AAAA".as_slice()),
            Some(b"!!".as_slice()),
        ] {
            let upgrade = Upgrade {
                key,
                version: Some(b"13"),
            };
            assert_eq!(accept(upgrade), Err(HandshakeError::Key));
        }
    }
}
