//! Who set what: the values given so far, each with where it came from.
//!
//! Layers are laid over one another in the order defaults, file, environment, flags. Nothing is
//! checked across settings here (`check`, `apps`). Invariant: a value in a layer was accepted by
//! its entry.

use super::knob::{Knob, Value};
use super::suggest::{self, Candidate};
use crate::app::App;
use crate::error::{ConfigError, Source};

/// One accepted value and its origin.
#[derive(Clone)]
struct Setting {
    value: Value,
    source: Source,
    /// The option of another server's file that it was given as.
    option: Option<&'static str>,
}

/// What was given for the settings of one `T`, by place in their table.
pub(super) struct Settings<T: 'static> {
    table: &'static [Knob<T>],
    given: Vec<Option<Setting>>,
}

/// The settings of one app, with the name and the place they have in error messages.
pub(super) struct AppSettings {
    /// `apps[0]`, or the variables' prefix.
    pub label: String,
    /// Where the app begins; what to blame when something is missing.
    pub place: Source,
    /// What was given for it.
    pub settings: Settings<App>,
}

// By hand, since the settings of a `T` can be cloned whatever `T` is.
impl<T> Clone for Settings<T> {
    fn clone(&self) -> Settings<T> {
        Settings {
            table: self.table,
            given: self.given.clone(),
        }
    }
}

impl<T> Settings<T> {
    /// Nothing given yet.
    pub(super) fn new(table: &'static [Knob<T>]) -> Settings<T> {
        Settings {
            table,
            given: table.iter().map(|_| None).collect(),
        }
    }

    /// The table these are settings of.
    pub(super) fn table(&self) -> &'static [Knob<T>] {
        self.table
    }

    /// Gives the entry at `place` of the table a value; an earlier one is forgotten.
    pub(super) fn give(&mut self, place: usize, value: Value, source: Source) {
        self.given[place] = Some(Setting {
            value,
            source,
            option: None,
        });
    }

    /// Says that the entry at `place` was given as an option of another server's file.
    pub(super) fn mark(&mut self, place: usize, option: &'static str) {
        if let Some(setting) = &mut self.given[place] {
            setting.option = Some(option);
        }
    }

    /// The option of another server's file that a setting was given as.
    pub(super) fn option(&self, key: &str) -> Option<&'static str> {
        self.given[self.place(key)].as_ref()?.option
    }

    /// Takes what was given for a setting away.
    pub(super) fn forget(&mut self, key: &str) {
        let place = self.place(key);
        self.given[place] = None;
    }

    /// Takes out what came from such sources.
    pub(super) fn take_from(&mut self, is_meant: impl Fn(&Source) -> bool) -> Settings<T> {
        let given = self.given.iter_mut();
        Settings {
            table: self.table,
            given: given
                .map(|own| own.take_if(|setting| is_meant(&setting.source)))
                .collect(),
        }
    }

    /// Lays `upper` over these: what it gives wins.
    pub(super) fn lay_over(&mut self, upper: Settings<T>) {
        for (own, new) in self.given.iter_mut().zip(upper.given) {
            if new.is_some() {
                *own = new;
            }
        }
    }

    /// Takes over from newer settings those that may change while the server runs.
    pub(super) fn renew(&mut self, newer: &Settings<T>, may_change: impl Fn(&str) -> bool) {
        let both = self.given.iter_mut().zip(&newer.given);
        for (knob, (own, new)) in self.table.iter().zip(both) {
            if may_change(knob.key) {
                own.clone_from(new);
            }
        }
    }

    /// Whether both give the entry at `place` the same value, or none. Where it is from does not
    /// matter.
    pub(super) fn agrees(&self, other: &Settings<T>, place: usize) -> bool {
        let value = |it: &Settings<T>| it.given[place].as_ref().map(|given| given.value.clone());
        value(self) == value(other)
    }

    /// Whether anybody gave this setting.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given[self.place(key)].is_some()
    }

    /// Where this setting came from.
    pub(super) fn source(&self, key: &str) -> Source {
        self.given[self.place(key)]
            .as_ref()
            .map_or(Source::Default, |s| s.source.clone())
    }

    /// Key and source of the first setting, in the order of the table, that was given at all.
    pub(super) fn first_given(&self) -> Option<(&'static str, Source)> {
        let mut both = self.table.iter().zip(&self.given);
        both.find_map(|(knob, given)| Some((knob.key, given.as_ref()?.source.clone())))
    }

    /// Writes every given value into `target`.
    pub(super) fn apply(&self, target: &mut T) {
        for (knob, given) in self.table.iter().zip(&self.given) {
            if let Some(setting) = given {
                (knob.put)(target, setting.value.clone());
            }
        }
    }

    /// Where in the table the entry of that key is.
    ///
    /// # Errors
    /// The reason an unknown key is refused, with the key that was probably meant or all there are.
    pub(super) fn find(
        table: &'static [Knob<T>],
        key: &str,
        further: &[&'static str],
    ) -> Result<usize, String> {
        if let Some(place) = table.iter().position(|knob| knob.key == key) {
            return Ok(place);
        }
        let known = table.iter().map(|k| Candidate {
            name: k.key,
            elsewhere: k.elsewhere,
        });
        let more = further.iter().map(|&name| Candidate {
            name,
            elsewhere: &["app"],
        });
        Err(match suggest::closest(key, known.chain(more)) {
            Some(name) => format!("this key is not known; did you mean `{name}`?"),
            None => {
                let keys = table.iter().map(|k| k.key).chain(further.iter().copied());
                format!("this key is not known; expected one of {}", join(keys))
            }
        })
    }

    fn place(&self, key: &str) -> usize {
        self.table
            .iter()
            .position(|knob| knob.key == key)
            .expect("callers name a setting we have")
    }
}

/// The error for a value that its entry refused. The value is left out when it is a secret.
pub(super) fn refused<T>(
    knob: &Knob<T>,
    key: String,
    value: String,
    source: Source,
    reason: String,
) -> ConfigError {
    let value = (!knob.accepts.is_secret()).then_some(value);
    ConfigError {
        key,
        value,
        source,
        reason,
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::app_knobs::APPS;
    use crate::server::config::server_knobs::SERVER;
    use crate::server::config::settings::Config;

    #[test]
    fn the_upper_layer_wins_where_it_says_something() {
        let place = |key| Settings::find(SERVER, key, &[]).unwrap();
        let mut lower = Settings::new(SERVER);
        lower.give(
            place("port"),
            Value::Whole(1),
            Source::Variable("SOKETI_PORT"),
        );
        lower.give(place("shards"), Value::Whole(3), Source::Variable("X"));
        let mut upper = Settings::new(SERVER);
        upper.give(place("port"), Value::Whole(2), Source::Flag("port"));
        lower.lay_over(upper);

        let mut config = Config::default();
        lower.apply(&mut config);
        assert_eq!(
            (config.port, config.shards, config.backlog),
            (2, Some(3), 4096)
        );
        assert_eq!(lower.source("port"), Source::Flag("port"));
        assert_eq!(lower.source("shards"), Source::Variable("X"));
        assert_eq!(lower.source("backlog"), Source::Default);
        assert!(lower.has("shards") && !lower.has("backlog"));
    }

    #[test]
    fn an_unknown_key_is_answered_with_a_suggestion_or_the_list() {
        let reason = |key| Settings::find(SERVER, key, &["apps"]).unwrap_err();
        assert!(reason("prot").ends_with("did you mean `port`?"));
        assert!(reason("app").ends_with("did you mean `apps`?"));
        let list = reason("redis");
        assert!(
            list.contains("expected one of host, port,") && list.contains(", apps"),
            "{list}"
        );
        let app = Settings::find(APPS, "enableClientMessages", &[]).unwrap_err();
        assert!(app.ends_with("did you mean `client_events`?"), "{app}");
    }

    // F29
    #[test]
    fn a_refused_secret_is_left_out() {
        let error = |key: &str| {
            let knob = APPS.iter().find(|k| k.key == key).unwrap();
            refused(
                knob,
                key.to_owned(),
                "canary".to_owned(),
                Source::Default,
                String::new(),
            )
        };
        assert_eq!(error("secret").value, None);
        assert_eq!(error("key").value.as_deref(), Some("canary"));
    }
}
