//! Where a router stands while routes are mounted: the path and host it is nested in, and what
//! stands before its routes.

use super::function::Function;
use crate::handler::middleware::Layers;
use std::rc::Rc;

/// A router or one that is nested in it.
#[derive(Clone)]
pub(super) struct Scope {
    /// The number of its host.
    pub(super) host: Option<usize>,
    /// What stands before its patterns.
    pub(super) prefix: Rc<str>,
    /// The outermost first.
    pub(super) layers: Layers,
    /// Its own fallback.
    pub(super) fallback: Option<Rc<dyn Function>>,
    /// What it is nested in.
    pub(super) outer: Option<usize>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            host: None,
            prefix: "".into(),
            layers: Rc::new([]),
            fallback: None,
            outer: None,
        }
    }
}
