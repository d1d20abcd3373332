//! The configuration in force as a TOML file, each value with its origin.
//!
//! It only prints. Invariants: the output parses as a configuration file again; it holds no secret.

use super::layers::Settings;
use super::load::Invocation;
use crate::error::Source;

impl Invocation {
    /// What `--print-config` shows: TOML, a setting a line, with a comment saying who set it.
    pub fn print_config(&self) -> String {
        let mut text =
            String::from("# The configuration in force, and where each value is from.\n\n");
        lines(&mut text, &self.server, &self.config);
        for (app, from) in self.config.apps.iter().zip(&self.apps) {
            text.push_str("\n[[apps]]\n");
            lines(&mut text, &from.settings, app);
        }
        text
    }

    /// The same as JSON: of each setting its value, `null` when it is not set, and its origin.
    pub(in crate::server) fn print_json(&self) -> serde_json::Value {
        let apps = self.config.apps.iter().zip(&self.apps);
        let apps = apps.map(|(app, from)| object(&from.settings, app));
        serde_json::json!({
            "settings": object(&self.server, &self.config),
            "apps": apps.collect::<Vec<_>>(),
        })
    }
}

fn object<T>(settings: &Settings<T>, target: &T) -> serde_json::Value {
    let all = settings.table().iter().map(|knob| {
        let text = format!("value = {}", (knob.show)(target));
        // What is not set is shown as nothing.
        let value = toml::from_str(&text).ok();
        let value = value.and_then(|mut table: serde_json::Map<_, _>| table.remove("value"));
        let origin = settings.source(knob.key).to_string();
        let both = serde_json::json!({ "value": value, "origin": origin });
        (knob.key.to_owned(), both)
    });
    serde_json::Value::Object(all.collect())
}

fn lines<T>(text: &mut String, settings: &Settings<T>, target: &T) {
    for knob in settings.table() {
        let value = (knob.show)(target);
        let setting = match value.is_empty() {
            true => format!("# {} is not set", knob.key),
            false => format!("{} = {value}", knob.key),
        };
        let origin = match settings.source(knob.key) {
            Source::Default => "default".to_owned(),
            // A path may hold a line break; a comment may not.
            given => given.to_string().escape_debug().to_string(),
        };
        text.push_str(&format!("{setting:<34} # {origin}\n"));
    }
}

#[cfg(test)]
mod tests {
    use crate::server::config::Unconfigured;
    use crate::server::config::app_knobs::APPS;
    use crate::server::config::file;
    use crate::server::config::load;
    use crate::server::config::server_knobs::SERVER;
    use crate::server::config::settings::Config;
    use std::ffi::OsString;
    use std::path::Path;

    #[test]
    fn the_output_reads_back_as_the_same_configuration() {
        let arguments = [
            "shardcast",
            "--port=7000",
            "--cores=1",
            "--accept-per-second=-1",
        ];
        let variables = [("SOKETI_DEFAULT_APP_MAX_CONNS".to_owned(), "5".to_owned())];
        let got = load(
            arguments.map(OsString::from),
            variables,
            &[0, 1],
            Unconfigured::DemoApp,
        )
        .ok()
        .unwrap();
        let text = got.print_config();

        let again = file::parse(Path::new("again.toml"), &text, None).expect("it is a valid file");
        let mut config = Config::default();
        again.server.apply(&mut config);
        for knob in SERVER {
            assert_eq!(
                (knob.show)(&config),
                (knob.show)(&got.config),
                "{}",
                knob.key
            );
        }
        let mut app = crate::app::App::new("", "", "");
        again.apps[0].settings.apply(&mut app);
        for knob in APPS {
            assert_eq!(
                (knob.show)(&app),
                (knob.show)(&got.config.apps[0]),
                "{}",
                knob.key
            );
        }
    }

    #[test]
    fn every_line_says_where_its_value_is_from() {
        let arguments = ["shardcast", "--port=7000"].map(OsString::from);
        let variables = [("SOKETI_DEBUG".to_owned(), "1".to_owned())];
        let text = load(arguments, variables, &[0], Unconfigured::DemoApp)
            .ok()
            .unwrap()
            .print_config();
        for (setting, origin) in [
            ("port = 7000", "--port"),
            ("debug = true", "SOKETI_DEBUG"),
            ("backlog = 4096", "default"),
            ("# shards is not set", "default"),
        ] {
            let line = text.lines().find(|line| line.starts_with(setting)).unwrap();
            assert!(line.ends_with(&format!("# {origin}")), "{line}");
        }
    }
}
