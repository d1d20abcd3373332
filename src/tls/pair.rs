//! A certificate with its chain, and the key to it.

use super::validity::Validity;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// A certificate with its chain, and the key to it.
#[derive(Clone, Debug)]
pub struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    validity: Validity,
    digest: [u8; 32],
}

/// Why a certificate and a key are of no use together. It never shows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairError {
    /// There is no certificate in PEM.
    NoCertificate,
    /// A certificate is not one.
    BadCertificate,
    /// There is no private key in PEM.
    NoKey,
    /// The key is encrypted.
    EncryptedKey,
    /// The key is of a kind that is not supported, or broken.
    BadKey,
    /// The key is not that of the first certificate.
    Mismatch,
}

impl PairError {
    /// Whether the file with the key is to blame, not that with the certificates.
    #[must_use]
    pub fn is_of_key(self) -> bool {
        !matches!(self, Self::NoCertificate | Self::BadCertificate)
    }
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "it holds no certificate in PEM",
            Self::BadCertificate => "it holds a certificate that cannot be read",
            Self::NoKey => "it holds no private key in PEM",
            Self::EncryptedKey => {
                "its key is encrypted, which is not supported: write it in clear, as \
                 `openssl pkey -in FILE -out NEW` does, and let only the server read it"
            }
            Self::BadKey => {
                "its key cannot be used: expected RSA of 2048 bits or more, ECDSA on P-256 or \
                 P-384, or Ed25519, as PKCS #8, PKCS #1 or SEC 1"
            }
            Self::Mismatch => "its key is not the key of the (first) certificate",
        })
    }
}

impl std::error::Error for PairError {}

impl Pair {
    /// Reads both from PEM. The first certificate is the server's own, those that follow lead from
    /// it towards an authority.
    ///
    /// # Errors
    /// [`PairError`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| PairError::BadCertificate)?;
        let own = chain.first().ok_or(PairError::NoCertificate)?;
        let validity = Validity::of(own).ok_or(PairError::BadCertificate)?;
        if chain
            .iter()
            .any(|it| ParsedCertificate::try_from(it).is_err())
        {
            return Err(PairError::BadCertificate);
        }
        let key_der = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            _ if is_encrypted(key) => PairError::EncryptedKey,
            pem::Error::NoItemsFound => PairError::NoKey,
            _ => PairError::BadKey,
        })?;
        let signer = any_supported_type(&key_der).map_err(|_| match is_encrypted(key) {
            true => PairError::EncryptedKey,
            false => PairError::BadKey,
        })?;
        let certified = CertifiedKey::new(chain, signer);
        certified.keys_match().map_err(|_| PairError::Mismatch)?;
        let mut digest = Sha256::new();
        digest.update((certificates.len() as u64).to_le_bytes());
        digest.update(certificates);
        digest.update(key);
        Ok(Self {
            certified: Arc::new(certified),
            validity,
            digest: digest.finalize().into(),
        })
    }

    /// From when until when the server's own certificate holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether both were read from the same text.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Whether the certificate is for this name, which may have another in place of its first
    /// part: `*.example.com`.
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let own = self.certified.end_entity_cert();
        let Ok(parsed) = own.and_then(ParsedCertificate::try_from) else {
            return false;
        };
        rustls::client::verify_server_name(&parsed, name).is_ok()
    }
}

/// Both ways in which PEM says so.
fn is_encrypted(key: &[u8]) -> bool {
    let has = |mark: &[u8]| memchr::memmem::find(key, mark).is_some();
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    fn made(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let Made { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_for_the_names_of_its_certificate() {
        let (cert, key) = made(&["a.example", "*.b.example"]);
        let pair = Pair::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
        for (name, wanted) in [
            ("a.example", true),
            ("A.Example", true),
            ("x.b.example", true),
            ("b.example", false),
            ("x.y.b.example", false),
            ("c.example", false),
        ] {
            let server_name = ServerName::try_from(name).unwrap();
            assert_eq!(pair.is_for(&server_name), wanted, "{name}");
        }
        assert!(pair.validity().not_before < pair.validity().not_after);
    }

    #[test]
    fn what_is_no_pair_is_told_by_its_reason_and_whose_file_it_is() {
        let (cert, key) = made(&["a.example"]);
        let (_, other) = made(&["a.example"]);
        let encrypted = key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE");
        let encrypted = encrypted.replace("END PRIVATE", "END ENCRYPTED PRIVATE");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                   DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let broken_cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (cert, key, wanted) in [
            ("", &key[..], PairError::NoCertificate),
            (&key, &key, PairError::NoCertificate),
            (broken_cert, &key, PairError::BadCertificate),
            (&cert[..cert.len() / 2], &key, PairError::BadCertificate),
            (&cert, "", PairError::NoKey),
            (&cert, &cert, PairError::NoKey),
            (&cert, broken_key, PairError::BadKey),
            (&cert, &encrypted, PairError::EncryptedKey),
            (&cert, old, PairError::EncryptedKey),
            (&cert, &other, PairError::Mismatch),
        ] {
            let error = Pair::from_pem(cert.as_bytes(), key.as_bytes()).unwrap_err();
            assert_eq!(error, wanted);
            assert_eq!(
                error.is_of_key(),
                !error.to_string().contains("certificate that")
                    && error != PairError::NoCertificate
            );
        }
    }

    #[test]
    fn the_same_text_is_the_same_pair() {
        let (cert, key) = made(&["a.example"]);
        let pair = |cert: &str| Pair::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
        assert!(pair(&cert).is_same(&pair(&cert)));
        assert!(!pair(&cert).is_same(&pair(&(cert.clone() + "\n# new\n"))));
    }
}
