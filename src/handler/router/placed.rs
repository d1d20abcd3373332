//! A function route that was just mounted, and how it takes bodies.

use super::function::Function;
use super::routing::Router;
use crate::handler::body::BodyWish;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// The function route that was just mounted: how it takes the bodies of its requests can be said
/// of it. It stands for its router, so that the next route may follow.
///
/// ```
/// # use shardcast::handler::{Request, Router};
/// # use shardcast::http::BodyError;
/// fn routes(router: &mut Router) {
///     let upload = async |mut request: Request<'_>| -> Result<String, BodyError> {
///         while let Some(_chunk) = request.chunk().await? {}
///         Ok(format!("{} bytes\n", request.received()))
///     };
///     router.put("/files/{name}", upload).streamed().body_max(1 << 30);
///     router.post("/comments", async |_: Request<'_>| "thank you\n").body_max(4096);
/// }
/// ```
pub struct Placed<'r> {
    router: &'r mut Router,
    function: Rc<dyn Function>,
}

impl<'r> Placed<'r> {
    pub(super) fn new(router: &'r mut Router, function: Rc<dyn Function>) -> Self {
        Self { router, function }
    }

    /// The function is called as soon as a request's head is there, and takes the body while it
    /// arrives ([`Request::chunk`](crate::handler::Request::chunk)). Otherwise it is called with
    /// the whole body.
    pub fn streamed(self) -> Self {
        self.change(|wishes| wishes.streamed = true)
    }

    /// Bytes of the largest body, instead of the configuration's limit for all. More is answered
    /// with 413: before a byte of it is read where the request tells its length, otherwise as soon
    /// as it is too much. A whole body of that length is held in memory.
    pub fn body_max(self, bytes: u64) -> Self {
        self.change(|wishes| wishes.max = Some(bytes))
    }

    fn change(self, change: impl FnOnce(&mut BodyWish)) -> Self {
        let cell = self.function.wishes();
        let mut wishes = cell.get();
        change(&mut wishes);
        cell.set(wishes);
        self
    }
}

impl Deref for Placed<'_> {
    type Target = Router;

    fn deref(&self) -> &Router {
        self.router
    }
}

impl DerefMut for Placed<'_> {
    fn deref_mut(&mut self) -> &mut Router {
        self.router
    }
}

impl fmt::Debug for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("wishes", &self.function.wishes())
            .finish_non_exhaustive()
    }
}
