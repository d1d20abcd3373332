//! What another server does where its users say nothing: who moves from it with the app that its
//! names describe finds the server where it was.
//!
//! Only what would break a move stands here; other defaults differ, and docs/migrating.md says so.
//! Invariant: it comes before everything that somebody has set.

use super::app_knobs::APPS;
use super::foreign::Name;
use super::knob::Knob;
use super::layers::Settings;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::soketi_file::SOKETI_FILE;
use super::soketi_names::SOKETI;
use crate::app::App;
use crate::error::Source;

/// A server whose names describe the app.
pub(super) struct Family {
    /// What it is called.
    name: &'static str,
    /// How the names begin.
    prefix: &'static str,
    /// The port it listens on, and whether that is a default of its own.
    port: Option<&'static str>,
    /// Settings of the app.
    app: &'static [(&'static str, &'static str)],
    /// Whether the size of an event from a backend is bounded by that of its request alone.
    limits_requests_alone: bool,
    /// The names whose defaults its users may count on; none where those are completed or unknown.
    names: &'static [&'static [Name]],
}

/// The settings that are limits.
const GROUPS: [&str; 2] = ["Limits and deadlines", "Apps"];

static FAMILIES: [Family; 3] = [
    Family {
        name: "soketi",
        prefix: "SOKETI_",
        port: None,
        app: &[],
        limits_requests_alone: false,
        names: &[SOKETI, SOKETI_FILE],
    },
    Family {
        name: "Reverb",
        prefix: "REVERB_",
        port: Some("8080"),
        // Members of private and presence channels may send them.
        app: &[("client_events", "true"), ("activity_timeout_s", "30")],
        limits_requests_alone: true,
        names: &[],
    },
    Family {
        name: "laravel-websockets",
        prefix: "PUSHER_",
        port: None,
        app: &[],
        limits_requests_alone: false,
        names: &[],
    },
];

impl Family {
    /// The one whose variable gives the key of the app.
    pub(super) fn of(app: &Settings<App>) -> Option<&'static Family> {
        let source = app.source("key");
        let name = match &source {
            Source::SecretFile { named_by, .. } => named_by,
            other => other.variable()?,
        };
        FAMILIES.iter().find(|it| name.starts_with(it.prefix))
    }

    /// Whether the size of an event from a backend is bounded by that of its request alone.
    pub(super) fn limits_requests_alone(&self) -> bool {
        self.limits_requests_alone
    }

    /// That of a file of soketi's.
    pub(super) fn soketi() -> &'static Family {
        &FAMILIES[0]
    }

    /// Its defaults for the app.
    pub(super) fn complete_app(&self, app: &mut Settings<App>) {
        for (key, text) in self.app {
            self.complete(APPS, app, key, text);
        }
    }

    /// Its defaults for the server. All of them listen on every address; published credentials
    /// never do.
    pub(super) fn complete_server(&self, server: &mut Settings<Config>, is_demo: bool) {
        if !is_demo {
            self.complete(SERVER, server, "host", "0.0.0.0");
        }
        if let Some(port) = self.port {
            self.complete(SERVER, server, "port", port);
        }
    }

    /// Which limits are others than in that server where nobody has set them, in one sentence.
    pub(super) fn differences(
        &self,
        server: (&Settings<Config>, &Config),
        apps: &[(&Settings<App>, &App)],
    ) -> Option<String> {
        let mut all = differences(self.names, SERVER, &[server]);
        all.extend(differences(self.names, APPS, apps));
        (!all.is_empty()).then(|| {
            let name = self.name;
            format!(
                "limits that nobody has set are those of this server, and others than {name}'s: {}",
                all.join(", ")
            )
        })
    }

    fn complete<T>(
        &self,
        table: &'static [Knob<T>],
        settings: &mut Settings<T>,
        key: &str,
        text: &str,
    ) {
        if settings.has(key) {
            return;
        }
        let place = Settings::find(table, key, &[]).expect("it is a setting");
        let value = table[place].accepts.read_text(text);
        let value = value.expect("a default is accepted");
        settings.give(place, value, Source::DefaultOf(self.name));
    }
}

/// `key = ours (theirs)` of each limit of a table that nobody has set and that is another there.
fn differences<T>(
    names: &[&[Name]],
    table: &'static [Knob<T>],
    of: &[(&Settings<T>, &T)],
) -> Vec<String> {
    let limits = table.iter().filter(|knob| GROUPS.contains(&knob.group));
    let difference = |knob: &Knob<T>| {
        let mut variables = knob.variables.iter();
        let (default, variable) = variables.find_map(|variable| {
            let mut names = names.iter().copied().flatten();
            let name = names.find(|name| name.variable == variable.name)?;
            Some((name.default, variable))
        })?;
        let value = variable.read(&knob.accepts, default).ok()?;
        let mut unset = of.iter().filter(|(settings, _)| !settings.has(knob.key));
        let (_, target) = unset.next()?;
        let ours = (knob.show)(target);
        let theirs = value.number()?;
        (ours != theirs).then(|| format!("{} = {ours} ({theirs})", knob.key))
    };
    limits.filter_map(difference).collect()
}
