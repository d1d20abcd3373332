//! Signatures as Pusher demands them: of REST requests and of channel subscriptions.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs with one app's secret. The keyed state is prepared once.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// The key is the secret's bytes.
    pub fn new(secret: &str) -> Self {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// The digest of the parts in a row, as 64 lower-case hex digits.
    pub fn sign(&self, parts: &[&[u8]], hex: &mut [u8; 64]) {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        hex::encode_to_slice(digest, hex).expect("64 digits say 32 bytes");
    }

    /// The token that lets the connection `socket_id` into `channel`.
    pub fn token(
        &self,
        key: &str,
        socket_id: &str,
        channel: &str,
        channel_data: Option<&str>,
    ) -> String {
        let (separator, data) = match channel_data {
            Some(data) => (":", data),
            None => ("", ""),
        };
        let parts = [socket_id, ":", channel, separator, data].map(str::as_bytes);
        let mut digits = [0; 64];
        self.sign(&parts, &mut digits);
        format!("{key}:{}", String::from_utf8_lossy(&digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pair that Pusher's documentation prints, with its published digests.
    #[test]
    fn published_digests_come_out() {
        let signer = Signer::new("7ad3773142a6692b25b8");
        let key = "278d425bdf160c739803";
        assert_eq!(
            signer.token(key, "1234.1234", "private-foobar", None),
            format!("{key}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")
        );
        let data = r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#;
        assert_eq!(
            signer.token(key, "1234.1234", "presence-foobar", Some(data)),
            format!("{key}:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80")
        );
        let text = "POST\n/apps/3/events\nauth_key=278d425bdf160c739803&\
                    auth_timestamp=1353088179&auth_version=1.0&\
                    body_md5=ec365a775a4cd0599faeb73354201b6f";
        let mut digits = [0; 64];
        signer.sign(&[text.as_bytes()], &mut digits);
        assert_eq!(
            &digits,
            b"da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
        );
    }

    #[test]
    fn a_signer_prints_nothing_secret() {
        assert_eq!(format!("{:?}", Signer::new("canary")), "Signer(..)");
    }
}
