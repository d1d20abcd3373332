//! The table of all limits: what each is called, what it is unless set, what happens at it and
//! which metric shows that. docs/limits.md is made from it.

use super::config::{app_default, server_default};
use super::{admin_bound_rows, bound_rows};
use crate::metrics::Name;

/// One limit, as the documents show it.
#[derive(Debug)]
pub struct Bound {
    /// Its key in the configuration, behind `apps.` where each app has its own; for what can only
    /// be changed in the code, the name of its constant.
    pub name: &'static str,
    /// What it is unless set; empty for none.
    pub default: String,
    /// What is counted.
    pub unit: &'static str,
    /// What happens at it.
    pub at_limit: &'static str,
    /// What shows that it was met.
    pub metric: &'static Name,
    /// Whether it can be set.
    pub is_setting: bool,
}

/// One row of the table.
pub(super) struct Row {
    name: &'static str,
    /// What it is, where it cannot be set.
    fixed: Option<u64>,
    unit: &'static str,
    at_limit: &'static str,
    metric: &'static Name,
}

/// A limit that is a setting.
pub(super) const fn set(
    name: &'static str,
    unit: &'static str,
    at_limit: &'static str,
    metric: &'static Name,
) -> Row {
    Row {
        name,
        fixed: None,
        unit,
        at_limit,
        metric,
    }
}

/// One that is not.
pub(super) const fn fixed(
    name: &'static str,
    value: u64,
    unit: &'static str,
    at_limit: &'static str,
    metric: &'static Name,
) -> Row {
    Row {
        fixed: Some(value),
        ..set(name, unit, at_limit, metric)
    }
}

/// All limits, in the order of a connection's life.
#[must_use]
pub fn bounds() -> Vec<Bound> {
    let bound = |row: &Row| Bound {
        name: row.name,
        default: match (row.fixed, row.name.strip_prefix("apps.")) {
            (Some(value), _) => value.to_string(),
            (None, Some(key)) => app_default(key),
            (None, None) => server_default(row.name),
        },
        unit: row.unit,
        at_limit: row.at_limit,
        metric: row.metric,
        is_setting: row.fixed.is_none(),
    };
    let rows = bound_rows::ROWS.iter().chain(admin_bound_rows::ROWS);
    rows.map(bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ALL;
    use crate::server::config::limits;

    #[test]
    fn every_setting_that_bounds_something_has_its_row() {
        // How long, how often and whether, but nothing that anybody could run into.
        const NO_LIMIT: [&str; 6] = [
            "flap_ms",
            "count_interval_ms",
            "rest_replay_guard",
            "websocket_compression",
            "websocket_compression_level",
            "websocket_compression_bytes",
        ];
        let bounds = bounds();
        let has_row = |key: &str| {
            bounds
                .iter()
                .any(|bound| bound.is_setting && bound.name == key)
        };
        for key in limits() {
            assert_eq!(has_row(key), !NO_LIMIT.contains(&key), "{key}");
        }
    }

    #[test]
    fn rows_are_whole_and_stand_once() {
        let bounds = bounds();
        for (at, bound) in bounds.iter().enumerate() {
            let texts = [bound.unit, bound.at_limit];
            assert!(
                texts
                    .iter()
                    .all(|text| !text.is_empty() && !text.contains('|'))
            );
            assert!(
                bounds[..at].iter().all(|other| other.name != bound.name),
                "{}",
                bound.name
            );
            let is_shown = |name: &&&Name| std::ptr::eq(**name, bound.metric);
            assert!(ALL.iter().any(|name| is_shown(&name)), "{}", bound.name);
        }
    }
}
