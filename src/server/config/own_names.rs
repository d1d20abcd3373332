//! Our own names in the environment: `SHARDCAST_` and the key of the setting in capitals, behind
//! `SHARDCAST_APP_` where it is one of an app.
//!
//! They are made from the tables by that rule, so that no setting is without one. Names that other
//! servers gave stand in the tables. Invariant: a name is made once and lives as long as the
//! process, as the names in the tables do.

use super::app_knobs::APPS;
use super::knob::Knob;
use super::server_knobs::SERVER;
use std::sync::LazyLock;

/// How all of them begin.
pub(super) const PREFIX: &str = "SHARDCAST_";
/// How those of an app begin.
const APP_PREFIX: &str = "SHARDCAST_APP_";

/// The one that is no setting: it names the configuration file.
pub(super) const CONFIG: &str = "SHARDCAST_CONFIG";

static OF_SERVER: LazyLock<Vec<String>> = LazyLock::new(|| named(SERVER, PREFIX));
static OF_APPS: LazyLock<Vec<String>> = LazyLock::new(|| named(APPS, APP_PREFIX));

/// The names of the server's settings, in the order of their table.
pub(super) fn of_server() -> &'static [String] {
    &OF_SERVER
}

/// The names of an app's settings, in the order of their table.
pub(super) fn of_apps() -> &'static [String] {
    &OF_APPS
}

/// The name of a setting of the server, by its key.
pub(super) fn of_key(key: &str) -> String {
    PREFIX.to_owned() + &key.to_ascii_uppercase()
}

fn named<T>(table: &[Knob<T>], prefix: &str) -> Vec<String> {
    let keys = table.iter().map(|knob| knob.key);
    keys.map(|key| prefix.to_owned() + &key.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_setting_has_a_name_of_its_own() {
        let all: Vec<&String> = of_server().iter().chain(of_apps()).collect();
        assert_eq!(all.len(), SERVER.len() + APPS.len());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(of_server().contains(&"SHARDCAST_PORT".to_owned()));
        assert!(of_apps().contains(&"SHARDCAST_APP_CLIENT_EVENTS".to_owned()));
    }

    /// It would be looked at twice, and stand in every document twice.
    #[test]
    fn no_setting_lists_the_name_that_it_has_by_the_rule() {
        let of_server = SERVER.iter().map(|knob| knob.variables).zip(of_server());
        let of_apps = APPS.iter().map(|knob| knob.variables).zip(of_apps());
        for (variables, own) in of_server.chain(of_apps) {
            assert!(
                variables.iter().all(|variable| variable.name != own),
                "{own}"
            );
        }
    }
}
