//! The router: what is mounted where, and what a request leads to.

use super::entry::{Entry, Route};
use super::finding::Table;
use super::function::{Function, erase};
use super::host::Hosts;
use super::into_response::IntoResponse;
use super::pattern::segments;
use super::placed::Placed;
use super::scope::Scope;
use crate::crossing::pulse::{Callback, Doing, Places};
use crate::handler::callbacks::Handler;
use crate::handler::endpoint::{Endpoint, Local};
use crate::handler::middleware::{self, Middleware};
use crate::handler::mount::{Mount, Mounted};
use crate::handler::request::Request;
use crate::handler::running::Sign;
use crate::handler::static_files::StaticFiles;
use crate::http::is_name;
use std::any::type_name;
use std::rc::Rc;

/// The routes of one shard.
///
/// ```
/// # use shardcast::handler::{Router, Request};
/// fn routes(router: &mut Router) {
///     router.get("/health", async |_: Request<'_>| "fine\n");
///     router.nest("/rooms", |rooms| {
///         rooms.get("/{id}", async |request: Request<'_>| {
///             format!("room {}\n", request.param("id").unwrap_or_default())
///         });
///         rooms.fallback(async |_: Request<'_>| (404, "no such room\n"));
///     });
/// }
/// ```
///
/// Patterns are described at [`Router::route`], the order of routes and hosts too.
pub struct Router {
    pub(super) local: Rc<Local>,
    pub(super) mounts: Vec<Rc<dyn Mount>>,
    /// Every pattern of a handler, behind its host if it has one, and the handler's number.
    pub(super) patterns: Vec<(Box<str>, u16)>,
    pub(super) hosts: Hosts,
    /// What is mounted for any host, and for each host by its number.
    pub(super) any_host: Table,
    pub(super) by_host: Vec<Table>,
    /// All scopes; the first is that of the router itself.
    pub(super) scopes: Vec<Scope>,
    current: usize,
    /// What has a name of its own for the watchdog: where it is mounted, and what it is.
    named: Vec<(Box<str>, Box<str>)>,
    /// Where the Pusher application was asked for.
    pub(super) pusher: Option<Scope>,
}

impl Router {
    pub(crate) fn new(local: Rc<Local>) -> Self {
        Self {
            local,
            mounts: Vec::new(),
            patterns: Vec::new(),
            hosts: Hosts::default(),
            any_host: Table::default(),
            by_host: Vec::new(),
            scopes: vec![Scope::default()],
            current: 0,
            named: Vec::new(),
            pusher: None,
        }
    }

    /// Mounts a handler at a pattern. `make` gets the endpoint that reaches the handler's
    /// clients; it runs once on each shard. The same endpoint is returned, for others that want
    /// to reach them.
    ///
    /// The handler takes the handshakes of its pattern, and the requests that no function there
    /// takes ([`Handler::on_request`]).
    ///
    /// # Panics
    /// When it is no pattern, or another handler is mounted at the same; see [`Router::route`].
    pub fn mount<H: Handler>(
        &mut self,
        pattern: &str,
        make: impl FnOnce(Endpoint) -> H,
    ) -> Endpoint {
        self.mount_at(&[pattern], make)
    }

    /// Serves the files of a directory below a prefix: `router.files("/assets", "public/assets")`,
    /// or [`StaticFiles`] with settings of their own in the place of the directory. `/` serves them
    /// at everything that nothing else takes.
    ///
    /// `/assets` is redirected to `/assets/`, which is the directory itself. Functions and handlers
    /// that are mounted at the same or a more specific pattern go before files, wherever they are
    /// mounted; so files at `/` stand beside all other routes, and in the place of the Pusher
    /// application's own front page.
    ///
    /// # Panics
    /// When the prefix does not begin with `/`, is otherwise no pattern, or has files already.
    pub fn files(&mut self, prefix: &str, files: impl Into<StaticFiles>) -> &mut Self {
        assert!(
            prefix.starts_with('/'),
            "a prefix of files begins with a slash: {prefix:?}"
        );
        let base = prefix.strip_suffix('/').unwrap_or(prefix);
        let (below, itself) = (format!("{base}/*"), format!("{base}/"));
        let mount = self.handler(&below, |_| files.into()).0;
        let is_outermost = base.is_empty() && self.prefix().is_empty();
        let without_slash = Some(base).filter(|_| !is_outermost);
        for pattern in [&*below, &itself].into_iter().chain(without_slash) {
            let route = self.at(pattern, Rc::clone(&mount));
            let pattern = Rc::clone(&route.pattern);
            let added = self.entry(&pattern).add_files(route);
            expect_one("Files", &pattern, added);
        }
        self
    }

    /// Makes a handler that is to be mounted, and its number.
    fn handler<H: Handler>(
        &mut self,
        first: &str,
        make: impl FnOnce(Endpoint) -> H,
    ) -> (Rc<dyn Mount>, Endpoint, u16) {
        let number = u16::try_from(self.mounts.len()).expect("fewer than 65536 handlers");
        let endpoint = Endpoint::new(Rc::clone(&self.local), number);
        let handler = make(endpoint.clone());
        let first = format!("{}{first}", self.prefix());
        let mount: Rc<dyn Mount> = Rc::new(Mounted::new(handler, endpoint.clone(), number, &first));
        self.mounts.push(Rc::clone(&mount));
        (mount, endpoint, number)
    }

    /// Mounts one handler at several patterns.
    ///
    /// # Panics
    /// As [`Router::mount`].
    pub fn mount_at<H: Handler>(
        &mut self,
        patterns: &[&str],
        make: impl FnOnce(Endpoint) -> H,
    ) -> Endpoint {
        let first = patterns.first().copied().unwrap_or_default();
        let (mount, endpoint, number) = self.handler(first, make);
        for pattern in patterns {
            let route = self.at(pattern, Rc::clone(&mount));
            let pattern = Rc::clone(&route.pattern);
            let host = self.scopes[self.current].host;
            let host = host.map_or("", |number| &*self.by_host[number].name);
            let named = format!("{host}{pattern}").into();
            self.patterns.push((named, number));
            let added = self.entry(&pattern).add_socket(route);
            expect_one("A WebSocket handler", &pattern, added);
        }
        endpoint
    }

    /// Whether a handler is mounted at this pattern, or files are, whatever its parameters are
    /// called.
    ///
    /// # Panics
    /// When it is no pattern.
    #[must_use]
    pub fn is_mounted(&self, pattern: &str) -> bool {
        let scope = &self.scopes[self.current];
        let pattern = format!("{}{pattern}", scope.prefix);
        let routes = &self.host_table(scope.host).routes;
        let entry = routes.get(&segments(&pattern));
        entry.is_some_and(Entry::has_handler)
    }

    /// A function for GET, and for HEAD when that has none of its own; see [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn get<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route("GET", pattern, function)
    }

    /// A function for POST; see [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn post<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route("POST", pattern, function)
    }

    /// A function for PUT; see [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn put<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route("PUT", pattern, function)
    }

    /// A function for PATCH; see [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn patch<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route("PATCH", pattern, function)
    }

    /// A function for DELETE; see [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn delete<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route("DELETE", pattern, function)
    }

    /// A function for all methods that have none of their own at this pattern; see
    /// [`Router::route`].
    ///
    /// # Panics
    /// As there.
    pub fn any<F, R>(&mut self, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        let sign = self.sign(pattern, "the function for any method");
        self.add(None, pattern, erase(function, sign))
    }

    /// A function for the requests of one method at a pattern. A panic in it is answered with 500
    /// and ends nothing else.
    ///
    /// # Patterns
    /// A pattern is a path. A segment of it may be `{name}`, which stands for any segment that is
    /// not empty ([`Request::param`]), and the last may be `*`, which stands for whatever follows
    /// the slash before it, nothing included ([`Request::rest`]). `/a` and `/a/` are different.
    /// What is percent-encoded, in the pattern or in the path, is compared as what it means, and an
    /// encoded slash divides nothing; upper and lower case differ.
    ///
    /// When several patterns fit, the order of mounting does not matter: segment by segment, what
    /// is written out goes before `{name}`, and `{name}` before `*`. The pattern is chosen first,
    /// then the method: what a pattern does not offer is not looked for at another one.
    ///
    /// # Methods
    /// HEAD is answered by the function for GET. OPTIONS is answered with 204 and `Allow`, and a
    /// method that has no function with 405 and `Allow`, unless [`Router::any`] or a handler's
    /// `on_request` takes it. A WebSocket handshake at a pattern that has functions only is a plain
    /// GET: the wish to upgrade may be ignored (RFC 9110, section 7.8), and the client sees that it
    /// did not get a 101.
    ///
    /// # Bodies
    /// The function is called with the whole body, unless [`Placed::streamed`] says otherwise of
    /// the route that was just mounted; [`Placed::body_max`] gives it a limit of its own.
    ///
    /// # Panics
    /// When the method is no token, when the pattern does not begin with `/` or is otherwise none,
    /// and when the same method has a function at a pattern of the same shape already. That ends
    /// the start of the server.
    pub fn route<F, R>(&mut self, method: &str, pattern: &str, function: F) -> Placed<'_>
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        assert!(is_name(method), "not a method: {method:?}");
        let sign = self.sign(pattern, &format!("the function for {method}"));
        self.add(Some(method), pattern, erase(function, sign))
    }

    fn add(
        &mut self,
        method: Option<&str>,
        pattern: &str,
        function: Rc<dyn Function>,
    ) -> Placed<'_> {
        let route = self.at(pattern, Rc::clone(&function));
        let pattern = Rc::clone(&route.pattern);
        let added = self.entry(&pattern).add(method, route);
        expect_one(method.unwrap_or("Any method"), &pattern, added);
        Placed::new(self, function)
    }

    /// Answers what no route fits, in the place of the plain 404. It counts for this router and for
    /// those nested in it that have none of their own, wherever it is called among the routes. A
    /// handshake comes here too.
    ///
    /// # Panics
    /// When this router has a fallback already.
    pub fn fallback<F, R>(&mut self, function: F) -> &mut Self
    where
        F: AsyncFn(Request<'_>) -> R + 'static,
        R: IntoResponse + 'static,
    {
        let sign = self.sign("/*", "the fallback");
        let scope = &mut self.scopes[self.current];
        assert!(
            scope.fallback.is_none(),
            "two fallbacks of one router: {:?}",
            scope.prefix
        );
        scope.fallback = Some(erase(function, sign));
        self
    }

    /// Puts a middleware before all routes that are mounted after it on this router, and on routers
    /// nested in it after it. The first one is the outermost.
    ///
    /// It also stands before what the router itself answers (404, 405, OPTIONS) and before its
    /// fallback: an answer where nothing is mounted passes all layers of the innermost router whose
    /// prefix and host it has, and a 405 those of the route that was mounted last at its pattern.
    pub fn layer<M: Middleware>(&mut self, middleware: M) -> &mut Self {
        let sign = self.sign("/*", &format!("the middleware {}", type_name::<M>()));
        let scope = &mut self.scopes[self.current];
        let layers = scope.layers.iter().cloned();
        let layer = middleware::erase(middleware, sign);
        scope.layers = layers.chain([layer]).collect();
        self
    }

    /// Mounts routes behind a prefix: `/rooms` and `/{id}` make `/rooms/{id}`. Within it, `""` is
    /// the prefix itself and `/` the prefix with a slash behind it. Layers and the fallback of the
    /// nested router end with it.
    ///
    /// # Panics
    /// When the prefix does not begin with `/` or ends with it, or is otherwise no pattern, or has
    /// a `*`.
    pub fn nest(&mut self, prefix: &str, routes: impl FnOnce(&mut Self)) -> &mut Self {
        assert!(
            prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.ends_with("/*"),
            "a prefix begins with a slash and ends with neither slash nor star: {prefix:?}"
        );
        let scope = self.inner();
        let prefix: Rc<str> = format!("{}{prefix}", scope.prefix).into();
        segments(&prefix);
        self.within(Scope { prefix, ..scope }, routes)
    }

    /// Mounts routes for one virtual host: `chat.example.com`, or `*.example.com` for all names
    /// below `example.com`. Case and port of what a client asks for do not matter. Of several
    /// hosts the most specific goes first, the whole name before all stars; what no route of a host
    /// fits is looked for in the next, and at last among the routes without a host. A handle of the
    /// server knows a route of a host by both: `chat.example.com/ws`.
    ///
    /// # Panics
    /// When the name is none, or this router is nested in one for a host.
    pub fn host(&mut self, name: &str, routes: impl FnOnce(&mut Self)) -> &mut Self {
        let scope = self.inner();
        assert!(scope.host.is_none(), "a host within a host: {name:?}");
        let number = self.hosts.number(name);
        if number == self.by_host.len() {
            let name = name.to_ascii_lowercase().into();
            let table = Table {
                name,
                ..Table::default()
            };
            self.by_host.push(table);
        }
        let host = Some(number);
        self.within(Scope { host, ..scope }, routes)
    }

    /// What this router is nested in: empty, or a pattern that begins with a slash and does not end
    /// with one.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.scopes[self.current].prefix
    }

    /// Places the Pusher application here: behind the prefix, the host and the layers that this
    /// router has now. Without this call it is mounted last on the outermost router, behind all of
    /// its layers. Nothing happens in a server without the application.
    ///
    /// Its patterns are `/app/{key}`, `/apps/*`, `/users/{id}/terminate_connections` and `/`. Where
    /// a handler of yours is mounted at one of them it goes before the application, and so does a
    /// function for its method; what is yours at a more specific pattern goes before it anyway.
    ///
    /// # Panics
    /// When it is called twice.
    pub fn pusher(&mut self) -> &mut Self {
        assert!(
            self.pusher.is_none(),
            "the Pusher application is placed twice"
        );
        self.pusher = Some(self.inner());
        self
    }

    /// A scope within the present one.
    pub(super) fn inner(&self) -> Scope {
        Scope {
            fallback: None,
            outer: Some(self.current),
            ..self.scopes[self.current].clone()
        }
    }

    pub(super) fn within(&mut self, scope: Scope, routes: impl FnOnce(&mut Self)) -> &mut Self {
        let outer = std::mem::replace(&mut self.current, self.scopes.len());
        self.scopes.push(scope);
        routes(self);
        self.current = outer;
        self
    }

    fn at<T: ?Sized>(&self, pattern: &str, target: Rc<T>) -> Route<T> {
        let scope = &self.scopes[self.current];
        let is_prefix_itself = pattern.is_empty() && !scope.prefix.is_empty();
        assert!(
            pattern.starts_with('/') || is_prefix_itself,
            "a route begins with a slash: {pattern:?}"
        );
        Route {
            pattern: format!("{}{pattern}", scope.prefix).into(),
            layers: Rc::clone(&scope.layers),
            target,
        }
    }

    /// What the watchdog calls something by that is no handler.
    fn sign(&mut self, pattern: &str, what: &str) -> Sign {
        // Whoever mounts more than fits is not named.
        let number = u16::try_from(self.named.len()).unwrap_or(u16::MAX);
        let place = format!("{}{pattern}", self.prefix());
        self.named.push((place.into(), what.into()));
        let doing = Doing::new(Callback::Named, number);
        Sign::new(self.local.sockets.pulse(), doing)
    }

    /// What the numbers mean by which routes tell the watchdog what runs.
    pub(crate) fn places(&mut self) -> Places {
        Places {
            handlers: self.mounts.iter().map(|it| it.pattern().into()).collect(),
            named: std::mem::take(&mut self.named),
        }
    }

    fn entry(&mut self, pattern: &str) -> &mut Entry {
        let host = self.scopes[self.current].host;
        let place = self.host_table_mut(host).routes.place(&segments(pattern));
        place.get_or_insert_default()
    }
}

/// A route that means the same requests as one before it ends the start.
fn expect_one(what: &str, pattern: &str, added: Result<(), Rc<str>>) {
    if let Err(known) = added {
        panic!("{what} is mounted twice at {pattern:?}: it has the shape of {known:?}");
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("prefix", &self.prefix())
            .field("handlers", &self.mounts.len())
            .finish_non_exhaustive()
    }
}
