//! Names and passwords of the Basic scheme (RFC 7617).

use super::{Middleware, Next, scheme};
use crate::handler::Request;
use crate::http::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Asks for a name and a password, and answers 401 until they are right. Who it is then stands in
/// the request's extensions as a [`BasicUser`].
///
/// Names and passwords go over the wire as they are: this is for connections that are encrypted in
/// front of the server. Of the passwords only a keyed digest is held, and comparing takes the same
/// time whatever is sent.
#[derive(Clone)]
pub struct BasicAuth {
    challenge: String,
    key: [u8; 32],
    users: Vec<(String, [u8; 32])>,
}

/// Who has said the right password; see [`BasicAuth`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicUser(pub String);

impl BasicAuth {
    /// With a realm, which browsers show, and nobody who may pass.
    ///
    /// # Panics
    /// When the realm holds a quotation mark, a backslash or a control character.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        let realm = scheme::quoted(realm);
        Self {
            challenge: format!("Basic realm={realm}, charset=\"UTF-8\""),
            key: rand::random(),
            users: Vec::new(),
        }
    }

    /// Lets somebody pass.
    ///
    /// # Panics
    /// When the name holds a colon, which the scheme cannot carry, or is there already.
    #[must_use]
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        assert!(!name.contains(':'), "no colon in a name: {name:?}");
        let is_new = self.users.iter().all(|(known, _)| known != name);
        assert!(is_new, "a name stands twice: {name:?}");
        let digest = self.digest(format!("{name}:{password}").as_bytes());
        self.users.push((name.into(), digest));
        self
    }

    /// Digests are all of one length, and what is compared tells nothing of the text.
    fn digest(&self, text: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("any key will do");
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// Whose name and password the field holds. Looks at every user, found or not.
    fn user(&self, field: &[u8]) -> Option<&str> {
        let sent = scheme::credentials(field, "basic")?;
        let digest = self.digest(&STANDARD.decode(sent).ok()?);
        let mut found = None;
        for (name, known) in &self.users {
            let pairs = known.iter().zip(&digest);
            let differs = pairs.fold(0, |differs, (a, b)| differs | (a ^ b));
            if std::hint::black_box(differs) == 0 {
                found = Some(name.as_str());
            }
        }
        found
    }
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicAuth")
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

impl Middleware for BasicAuth {
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        let field = request.header("authorization");
        let Some(user) = field.and_then(|field| self.user(field)) else {
            return scheme::unauthorized(self.challenge.clone());
        };
        request.extensions_mut().insert(BasicUser(user.to_owned()));
        next.run(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_name_and_password_pass() {
        let auth = BasicAuth::new("house")
            .with_user("ann", "a:b")
            .with_user("bén", "");
        let field = |text: &str| format!("Basic {}", STANDARD.encode(text)).into_bytes();
        assert_eq!(auth.user(&field("ann:a:b")), Some("ann"));
        assert_eq!(auth.user(&field("bén:")), Some("bén"));
        assert_eq!(auth.user(b"bASIC   YW5uOmE6Yg=="), Some("ann"));
        for text in ["ann:", "ann:a:B", "ann", "", "ben:", "Ann:a:b", "ann:a:b "] {
            assert_eq!(auth.user(&field(text)), None, "{text}");
        }
        for field in [
            "",
            "Basic",
            "Basic !",
            "Bearer YW5uOmE6Yg==",
            "BasicYW5uOmE6Yg==",
        ] {
            assert_eq!(auth.user(field.as_bytes()), None, "{field}");
        }
        let text = format!("{auth:?}");
        assert_eq!(text, "BasicAuth { users: 2, .. }");
    }

    #[test]
    fn nobody_passes_unless_named() {
        let auth = BasicAuth::new("house");
        assert_eq!(auth.user(b"Basic Og=="), None); // ":"
        for (name, realm) in [("a:b", "x"), ("ok", "a\"b"), ("ok", "a\r\nb")] {
            let made = std::panic::catch_unwind(|| BasicAuth::new(realm).with_user(name, ""));
            assert!(made.is_err(), "{name} {realm}");
        }
    }
}
