//! What is mounted at one pattern of one host: functions by method and a WebSocket handler.

use super::function::Function;
use super::into_response::not_found;
use super::scope::Scope;
use crate::handler::body::BodyWish;
use crate::handler::middleware::{Layer, Layers, Next};
use crate::handler::mount::{Mount, Upgraded};
use crate::handler::request::Request;
use crate::http::Response;
use std::rc::Rc;

/// One route.
pub(super) struct Route<T: ?Sized> {
    /// As it was mounted, with what it is nested in: its parameters have their names from here.
    pub(super) pattern: Rc<str>,
    /// What stands before it, the outermost first.
    pub(super) layers: Layers,
    pub(super) target: Rc<T>,
}

/// All routes of one pattern.
#[derive(Default)]
pub(super) struct Entry {
    /// Functions of one method.
    methods: Vec<(Box<str>, Route<dyn Function>)>,
    /// Takes the methods that have no function of their own.
    any: Option<Route<dyn Function>>,
    /// Takes handshakes, and what no function takes.
    socket: Option<Route<dyn Mount>>,
    /// Takes what nothing else does.
    files: Option<Route<dyn Mount>>,
    /// What the router itself answers stands behind the layers of the last that was mounted.
    own: Option<Own>,
}

/// What the router itself answers with.
struct Own {
    pattern: Rc<str>,
    layers: Layers,
    /// The value of `Allow`.
    allow: Box<str>,
}

/// A fallback of a router.
#[derive(Clone)]
pub(super) struct Fallback {
    pub(super) layers: Layers,
    pub(super) function: Option<Rc<dyn Function>>,
}

/// What a request leads to.
#[derive(Clone, Copy)]
pub(crate) struct Found<'r> {
    /// The pattern, empty when there is none.
    pub(crate) pattern: &'r str,
    layers: &'r [Layer],
    end: End<'r>,
}

/// What stands behind all layers.
#[derive(Clone, Copy)]
pub(crate) enum End<'r> {
    /// A handler, and the methods that may be used where it is mounted.
    Mount(&'r dyn Mount, &'r str),
    /// A function.
    Function(&'r dyn Function),
    /// Tells the methods that may be used.
    Options(&'r str),
    /// Same, as a refusal.
    MethodNotAllowed(&'r str),
    /// Nothing.
    NotFound,
}

impl Entry {
    /// Adds a function; `method` is `None` for all that have none of their own. Gives the pattern
    /// that has it already.
    pub(super) fn add(
        &mut self,
        method: Option<&str>,
        route: Route<dyn Function>,
    ) -> Result<(), Rc<str>> {
        let (pattern, layers) = (Rc::clone(&route.pattern), Rc::clone(&route.layers));
        match method {
            None => match &self.any {
                Some(known) => return Err(Rc::clone(&known.pattern)),
                None => self.any = Some(route),
            },
            Some(method) => match self.methods.iter().find(|(known, _)| **known == *method) {
                Some((_, known)) => return Err(Rc::clone(&known.pattern)),
                None => self.methods.push((method.into(), route)),
            },
        }
        self.note(pattern, layers);
        Ok(())
    }

    /// Adds a WebSocket handler; gives the pattern that has one already.
    pub(super) fn add_socket(&mut self, route: Route<dyn Mount>) -> Result<(), Rc<str>> {
        if let Some(known) = &self.socket {
            return Err(Rc::clone(&known.pattern));
        }
        let (pattern, layers) = (Rc::clone(&route.pattern), Rc::clone(&route.layers));
        self.socket = Some(route);
        self.note(pattern, layers);
        Ok(())
    }

    /// Adds files; gives the pattern that has some already.
    pub(super) fn add_files(&mut self, route: Route<dyn Mount>) -> Result<(), Rc<str>> {
        if let Some(known) = &self.files {
            return Err(Rc::clone(&known.pattern));
        }
        let (pattern, layers) = (Rc::clone(&route.pattern), Rc::clone(&route.layers));
        self.files = Some(route);
        self.note(pattern, layers);
        Ok(())
    }

    /// Whether a WebSocket handler is mounted, or files are.
    pub(super) fn has_handler(&self) -> bool {
        self.socket.is_some() || self.files.is_some()
    }

    fn note(&mut self, pattern: Rc<str>, layers: Layers) {
        let has = |wanted: &str| self.methods.iter().any(|(known, _)| **known == *wanted);
        let mut allow: Vec<&str> = self.methods.iter().map(|(method, _)| &**method).collect();
        if self.has_handler() && !has("GET") {
            allow.push("GET");
        }
        if allow.contains(&"GET") && !has("HEAD") {
            allow.push("HEAD");
        }
        if !has("OPTIONS") {
            allow.push("OPTIONS");
        }
        let allow = allow.join(", ").into();
        self.own = Some(Own {
            pattern,
            layers,
            allow,
        });
    }

    /// What takes a request of this method.
    pub(super) fn choose(&self, method: &str, is_handshake: bool) -> Found<'_> {
        let own = self.own.as_ref().expect("something is mounted here");
        if is_handshake
            && method == "GET"
            && let Some(socket) = &self.socket
        {
            return socket.found(End::Mount(&*socket.target, &own.allow));
        }
        let of = |wanted: &str| {
            let found = self.methods.iter().find(|(known, _)| **known == *wanted);
            found.map(|(_, route)| route)
        };
        let function = of(method).or_else(|| of("GET").filter(|_| method == "HEAD"));
        if let Some(route) = function.or(self.any.as_ref()) {
            return route.found(End::Function(&*route.target));
        }
        if let Some(handler) = self.socket.as_ref().or(self.files.as_ref()) {
            return handler.found(End::Mount(&*handler.target, &own.allow));
        }
        let end = match method {
            "OPTIONS" => End::Options(&own.allow),
            _ => End::MethodNotAllowed(&own.allow),
        };
        Found {
            pattern: &own.pattern,
            layers: &own.layers,
            end,
        }
    }
}

impl<T: ?Sized> Route<T> {
    fn found<'r>(&'r self, end: End<'r>) -> Found<'r> {
        Found {
            pattern: &self.pattern,
            layers: &self.layers,
            end,
        }
    }
}

impl Found<'_> {
    /// How bodies are wanted.
    pub(crate) fn wishes(&self) -> BodyWish {
        self.end.wishes().unwrap_or_default()
    }

    /// Answers, behind all layers: they see the request before its body is read.
    pub(crate) async fn answer(self, request: Request<'_>, upgraded: &Upgraded) -> Response {
        if self.layers.is_empty() {
            return self.end.answer(request, upgraded).await;
        }
        Next::new(self.layers, self.end, upgraded)
            .run(request)
            .await
    }

    /// Nothing is mounted, and no layer stands before that.
    pub(super) const NOTHING: Self = Self {
        pattern: "",
        layers: &[],
        end: End::NotFound,
    };
}

impl Fallback {
    /// The fallback of a scope: its own function, or that of the next scope around it.
    pub(super) fn of(scope: &Scope, scopes: &[Scope]) -> Self {
        let mut at = Some(scope);
        let mut function = None;
        while let Some(scope) = at.filter(|_| function.is_none()) {
            function.clone_from(&scope.fallback);
            at = scope.outer.map(|outer| &scopes[outer]);
        }
        Self {
            layers: Rc::clone(&scope.layers),
            function,
        }
    }

    /// What takes any request.
    pub(super) fn found(&self) -> Found<'_> {
        Found {
            pattern: "",
            layers: &self.layers,
            end: self
                .function
                .as_deref()
                .map_or(End::NotFound, End::Function),
        }
    }
}

impl End<'_> {
    /// How bodies are wanted; `None` where they are of no interest.
    fn wishes(&self) -> Option<BodyWish> {
        match self {
            End::Mount(mount, _) => Some(mount.wishes()),
            End::Function(function) => Some(function.wishes().get()),
            End::Options(_) | End::MethodNotAllowed(_) | End::NotFound => None,
        }
    }

    /// Answers. The body is read now, unless it is wanted while it arrives.
    pub(in crate::handler) async fn answer(
        self,
        mut request: Request<'_>,
        upgraded: &Upgraded,
    ) -> Response {
        if let Some(wishes) = self.wishes() {
            let asked = match wishes.streamed {
                true => request.body_error().map_or(Ok(()), Err),
                false => request.read_body().await.map(drop),
            };
            if let Err(error) = asked {
                return error.response();
            }
        }
        match self {
            End::Mount(mount, allow) => {
                request.set_allow(allow);
                mount.answer(request, upgraded).await
            }
            End::Function(function) => function.call(request).await,
            End::Options(allow) => may_use(204, allow),
            End::MethodNotAllowed(allow) => may_use(405, allow),
            End::NotFound => not_found(), // H6
        }
    }
}

/// The answer that names the methods: 204 or 405.
pub(in crate::handler) fn may_use(status: u16, allow: &str) -> Response {
    let response = match status {
        204 => Response::empty(204),
        _ => Response::text(status, "Method not allowed\n"),
    };
    let response = response.try_header("Allow", allow.to_owned());
    response.expect("methods are tokens")
}
