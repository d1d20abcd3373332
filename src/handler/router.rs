//! Paths to handlers.
//!
//! A pattern is a path whose segments may be `{name}` (any one segment) and whose last may be
//! `*` (whatever follows). The first pattern that fits wins.

use super::callbacks::Handler;
use super::endpoint::{Endpoint, Local};
use super::mount::{Mount, Mounted};
use super::table::SharedTable;
use std::hash::Hash;
use std::rc::Rc;

/// The routes of one shard.
pub struct Router {
    local: Rc<Local>,
    routes: Vec<Route>,
    mounts: u16,
}

struct Route {
    pattern: Box<str>,
    mount: Rc<dyn Mount>,
}

/// A route that fits a path.
pub(crate) struct Found<'r> {
    pub(crate) pattern: &'r str,
    pub(crate) mount: &'r Rc<dyn Mount>,
}

impl Router {
    pub(crate) fn new(local: Rc<Local>) -> Self {
        Self {
            local,
            routes: Vec::new(),
            mounts: 0,
        }
    }

    /// Mounts a handler at a pattern. `make` gets the endpoint that reaches the handler's
    /// clients; it runs once on each shard. The same endpoint is returned, for others that want
    /// to reach them.
    ///
    /// # Panics
    /// When the pattern does not begin with `/`.
    pub fn mount<H: Handler>(
        &mut self,
        pattern: &str,
        make: impl FnOnce(Endpoint) -> H,
    ) -> Endpoint {
        self.mount_at(&[pattern], make)
    }

    /// The table of this name, shared by all shards; made here when there is none yet. Each shard
    /// has to make the same tables.
    ///
    /// # Panics
    /// When the table holds other types, and past
    /// [`TABLES_MAX`](crate::limits::TABLES_MAX) tables. When another shard has other tables, or
    /// other limits, the server does not start.
    pub fn table<K, V>(&mut self, name: &str) -> SharedTable<K, V>
    where
        K: Hash + Eq + Clone + Send + 'static,
        V: Clone + Send + 'static,
    {
        self.local.tables.table(name)
    }

    /// Mounts one handler at several patterns.
    ///
    /// # Panics
    /// When a pattern does not begin with `/`.
    pub fn mount_at<H: Handler>(
        &mut self,
        patterns: &[&str],
        make: impl FnOnce(Endpoint) -> H,
    ) -> Endpoint {
        let endpoint = Endpoint::new(Rc::clone(&self.local), self.mounts);
        let handler = make(endpoint.clone());
        let mount: Rc<dyn Mount> = Rc::new(Mounted::new(
            handler,
            endpoint.clone(),
            self.mounts,
            patterns.first().copied().unwrap_or_default(),
        ));
        self.mounts += 1;
        for pattern in patterns {
            assert!(
                pattern.starts_with('/'),
                "a route begins with a slash: {pattern}"
            );
            let mount = Rc::clone(&mount);
            self.routes.push(Route {
                pattern: (*pattern).into(),
                mount,
            });
        }
        endpoint
    }

    /// The first route that fits.
    pub(crate) fn find(&self, path: &str) -> Option<Found<'_>> {
        let route = self
            .routes
            .iter()
            .find(|route| fits(&route.pattern, path))?;
        Some(Found {
            pattern: &route.pattern,
            mount: &route.mount,
        })
    }

    /// Every pattern and the number of the handler that it leads to.
    pub(crate) fn patterns(&self) -> Vec<(Box<str>, u16)> {
        let numbered = |route: &Route| (route.pattern.clone(), route.mount.route());
        self.routes.iter().map(numbered).collect()
    }

    /// Every mounted handler, once.
    pub(crate) fn mounts(&self) -> Vec<Rc<dyn Mount>> {
        let mut mounts: Vec<Rc<dyn Mount>> = Vec::new();
        for route in &self.routes {
            if !mounts.iter().any(|known| Rc::ptr_eq(known, &route.mount)) {
                mounts.push(Rc::clone(&route.mount));
            }
        }
        mounts
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.routes.iter().map(|route| &route.pattern))
            .finish()
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut path = path.split('/');
    for segment in pattern.split('/') {
        match (segment, path.next()) {
            ("*", Some(_)) => return true,
            (_, None) => return false,
            (segment, Some(part)) => {
                let is_param = segment.starts_with('{') && segment.ends_with('}');
                if if is_param {
                    part.is_empty()
                } else {
                    segment != part
                } {
                    return false;
                }
            }
        }
    }
    path.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_paths() {
        for (pattern, path) in [
            ("/", "/"),
            ("/chat", "/chat"),
            ("/app/{key}", "/app/abc"),
            ("/apps/*", "/apps/"),
            ("/apps/*", "/apps/1/channels/x"),
            ("/a/{b}/c", "/a/%20/c"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/x"),
            ("/chat", "/chat/"),
            ("/app/{key}", "/app/"),
            ("/app/{key}", "/app"),
            ("/app/{key}", "/app/a/b"),
            ("/apps/*", "/apps"),
            ("/chat", "/Chat"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
