//! The dashboard: a page in the binary, without a database and without a build chain, and what it
//! asks for.
//!
//! Once a second every shard is asked what it has counted, as for the metrics, and the last hour of
//! that is kept here: a page that is opened sees it at once. What happens to single clients is
//! noted down by the shards only while a page is open that shows it.

mod api;
mod assets;
mod history;
mod pages;

pub(super) use api::answer;
pub(super) use history::sample;
pub(super) use pages::{Page, follow};

use super::guard::Guard;
use super::known::Known;
use history::History;
use pages::Pages;
use std::cell::RefCell;

/// What the pages are made of.
pub(super) struct Dashboard {
    pub(super) guard: Guard,
    /// What the shards have said, to the metrics too.
    pub(super) known: Known,
    history: RefCell<History>,
    pages: Pages,
}

impl Dashboard {
    pub(super) fn new() -> Self {
        Self {
            guard: Guard::new(),
            known: Known::default(),
            history: RefCell::default(),
            pages: Pages::default(),
        }
    }

    /// Whether an app is served, as of the last second.
    pub(super) fn serves(&self, app: &str) -> bool {
        self.known.serves(app)
    }

    /// The part of the last second in which each shard worked, as far as it was seen.
    pub(super) fn busy(&self) -> Vec<Option<f64>> {
        self.history.borrow().busy()
    }
}
