//! What another server does where its users say nothing: who moves from it with the app that its
//! names describe finds the server where it was.
//!
//! Only what would break a move stands here; other defaults differ, and docs/migrating.md says so.
//! Invariant: it comes before everything that somebody has set.

use super::app_knobs::APPS;
use super::knob::Knob;
use super::layers::Settings;
use super::server_knobs::SERVER;
use super::settings::Config;
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
}

static FAMILIES: [Family; 3] = [
    Family {
        name: "soketi",
        prefix: "SOKETI_",
        port: None,
        app: &[],
    },
    Family {
        name: "Reverb",
        prefix: "REVERB_",
        port: Some("8080"),
        // Members of private and presence channels may send them.
        app: &[("client_events", "true"), ("activity_timeout_s", "30")],
    },
    Family {
        name: "laravel-websockets",
        prefix: "PUSHER_",
        port: None,
        app: &[],
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
