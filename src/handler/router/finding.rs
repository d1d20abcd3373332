//! From mounted routes to what a request leads to.

use super::entry::{Entry, Fallback, Found};
use super::pattern::segments;
use super::routing::Router;
use super::scope::Scope;
use super::tree::Tree;
use crate::handler::mount::Mount;
use crate::http::Head;
use std::rc::Rc;

/// The routes of one host.
#[derive(Default)]
pub(super) struct Table {
    /// The name of the host, in lower case.
    pub(super) name: Box<str>,
    pub(super) routes: Tree<Entry>,
    pub(super) fallbacks: Tree<Fallback>,
}

impl Router {
    /// All routes are mounted: mounts the Pusher application where it belongs, and what answers
    /// where nothing is.
    pub(crate) fn finish<P>(&mut self, pusher: Option<impl FnOnce(&mut Self) -> P>) -> Option<P> {
        let place = self.pusher.take().unwrap_or_else(|| self.inner());
        let scopes = self.scopes.clone();
        let mut mounted = None;
        self.within(place, |router| mounted = pusher.map(|mount| mount(router)));
        // Fallbacks of their own go before those that are handed down.
        let (own, inherited): (Vec<_>, Vec<_>) =
            scopes.iter().partition(|scope| scope.fallback.is_some());
        for scope in inherited {
            let fallback = Fallback::of(scope, &scopes);
            if !fallback.layers.is_empty() || self.has_bare_place(scope, &fallback) {
                self.place_fallback(scope, &fallback);
            }
        }
        let mut places = Vec::with_capacity(own.len());
        for scope in own {
            let place = (scope.host, &scope.prefix);
            assert!(
                !places.contains(&place),
                "two fallbacks at {:?}",
                scope.prefix
            );
            places.push(place);
            self.place_fallback(scope, &Fallback::of(scope, &scopes));
        }
        mounted
    }

    /// Whether a fallback that has no layers belongs where its scope is. It does not take the
    /// layers of another one of the same prefix away, and where it says nothing, another host may.
    fn has_bare_place(&self, scope: &Scope, fallback: &Fallback) -> bool {
        let says = fallback.function.is_some();
        let is_plain = scope.host.is_none() && !scope.prefix.is_empty();
        let behind = format!("{}/*", scope.prefix);
        let fallbacks = &self.host_table(scope.host).fallbacks;
        (says || is_plain) && fallbacks.get(&segments(&behind)).is_none()
    }

    fn place_fallback(&mut self, scope: &Scope, fallback: &Fallback) {
        let fallbacks = &mut self.host_table_mut(scope.host).fallbacks;
        let behind = format!("{}/*", scope.prefix);
        *fallbacks.place(&segments(&behind)) = Some(fallback.clone());
        if !scope.prefix.is_empty() {
            *fallbacks.place(&segments(&scope.prefix)) = Some(fallback.clone());
        }
    }

    /// What a request leads to.
    pub(crate) fn find(&self, head: &Head<'_>) -> Found<'_> {
        if let Some(entry) = self.first(head, |table| table.routes.find(head.path)) {
            return entry.choose(head.method, head.upgrade_websocket);
        }
        match self.first(head, |table| table.fallbacks.find(head.path)) {
            Some(fallback) => fallback.found(),
            None => Found::NOTHING,
        }
    }

    /// What is found first in the tables that a request's host means.
    fn first<'r, T>(
        &'r self,
        head: &Head<'_>,
        look: impl Fn(&'r Table) -> Option<&'r T>,
    ) -> Option<&'r T> {
        if self.by_host.is_empty() {
            return look(&self.any_host);
        }
        let mut numbers = self.hosts.of(head.host());
        let found = numbers.find_map(|number| look(&self.by_host[number]));
        found.or_else(|| look(&self.any_host))
    }

    /// Every pattern of a handler, behind its host if it has one, and the handler's number.
    pub(crate) fn patterns(&self) -> Vec<(Box<str>, u16)> {
        self.patterns.clone()
    }

    /// Every mounted handler, once.
    pub(crate) fn mounts(&self) -> Vec<Rc<dyn Mount>> {
        self.mounts.clone()
    }

    pub(super) fn host_table(&self, host: Option<usize>) -> &Table {
        host.map_or(&self.any_host, |number| &self.by_host[number])
    }

    pub(super) fn host_table_mut(&mut self, host: Option<usize>) -> &mut Table {
        match host {
            None => &mut self.any_host,
            Some(number) => &mut self.by_host[number],
        }
    }
}
