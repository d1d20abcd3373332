//! Whom endpoints that speak TLS are trusted by: the machine's authorities, and those of a file.

use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Makes what opens TLS connections.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a certificate authority of this machine is not readable");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        tracing::warn!(
            "no certificate authority is known, so no webhook can be sent to an https URL; \
             install the system's CA certificates, or set webhook_ca_file"
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let refused = |why: String| format!("webhook_ca_file {}: {why}", path.display());
    let mut count = 0;
    let certificates = CertificateDer::pem_file_iter(path);
    let certificates = certificates.map_err(|error| refused(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| refused(error.to_string()))?;
        count += 1;
    }
    match count {
        0 => Err(refused("it holds no certificate in PEM".to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: Option<&str>, name: &str) -> String {
        let path = std::env::temp_dir().join(format!("shardcast-{name}-{}", std::process::id()));
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let reason = connector(Some(&path)).err();
        let _ = std::fs::remove_file(&path);
        reason.expect("the file is refused")
    }

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        for (text, name) in [
            (None, "absent"),
            (Some(""), "empty"),
            (Some("no PEM"), "text"),
            (
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "broken",
            ),
        ] {
            let reason = reason(text, name);
            assert!(reason.starts_with("webhook_ca_file /"), "{reason}");
            assert!(reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn without_a_file_the_machine_is_asked() {
        assert!(connector(None).is_ok());
    }
}
