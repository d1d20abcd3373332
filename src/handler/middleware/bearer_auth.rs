//! Tokens of the Bearer scheme (RFC 6750).

use super::{Middleware, Next, scheme};
use crate::handler::{IntoResponse, Request, Result};
use crate::http::Response;
use std::marker::PhantomData;

/// Asks for a token that a function of yours knows, and answers 401 until it does. Whom the
/// function makes of the token stands in the request's extensions, for middleware behind this one,
/// for functions and for [`Handler::on_handshake`](crate::handler::Handler::on_handshake).
///
/// ```
/// # use shardcast::handler::middleware::BearerAuth;
/// # struct User(u32);
/// # fn routes(router: &mut shardcast::handler::Router) {
/// router.layer(BearerAuth::new("chat", async |token: &str| {
///     Ok((token == "42-secret").then_some(User(42)))
/// }));
/// # }
/// ```
///
/// The function is asked for every request and handshake, and may wait. It should compare secrets
/// in constant time, or look them up by their digest.
pub struct BearerAuth<F, I> {
    realm: String,
    parameter: Option<String>,
    verify: F,
    identity: PhantomData<fn() -> I>,
}

impl<F, I> BearerAuth<F, I>
where
    F: AsyncFn(&str) -> Result<Option<I>> + 'static,
    I: 'static,
{
    /// With a realm, and the function that knows tokens: `None` refuses one, and an error is
    /// answered with 500 and logged.
    ///
    /// # Panics
    /// When the realm holds a quotation mark, a backslash or a control character.
    #[must_use]
    pub fn new(realm: &str, verify: F) -> Self {
        Self {
            realm: scheme::quoted(realm),
            parameter: None,
            verify,
            identity: PhantomData,
        }
    }

    /// Takes the token from this parameter of the query as well, when there is no `Authorization`
    /// (RFC 6750, section 2.3): browsers can send no field of their own with a WebSocket handshake.
    /// URLs are written to logs by many programs, so such a token should not live long.
    #[must_use]
    pub fn with_query_parameter(mut self, name: &str) -> Self {
        self.parameter = Some(name.to_owned());
        self
    }

    fn refuse(&self, had_token: bool) -> Response {
        let error = if had_token {
            ", error=\"invalid_token\""
        } else {
            ""
        };
        scheme::unauthorized(format!("Bearer realm={}{error}", self.realm))
    }
}

impl<F, I> Middleware for BearerAuth<F, I>
where
    F: AsyncFn(&str) -> Result<Option<I>> + 'static,
    I: 'static,
{
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        let identity = {
            let token = match (request.header("authorization"), &self.parameter) {
                (Some(field), _) => scheme::credentials(field, "bearer").map(Into::into),
                (None, Some(name)) => request.query_param(name),
                (None, None) => None,
            };
            let Some(token) = token else {
                return self.refuse(false);
            };
            match (self.verify)(&token).await {
                Ok(Some(identity)) => identity,
                Ok(None) => return self.refuse(true),
                Err(error) => return error.into_response(),
            }
        };
        request.extensions_mut().insert(identity);
        next.run(request).await
    }
}

impl<F, I> std::fmt::Debug for BearerAuth<F, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BearerAuth")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}
