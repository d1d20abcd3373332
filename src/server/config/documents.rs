//! What is told of the settings: a file with all of them, a list of variables, a reference in
//! Markdown.
//!
//! Everything is made from the tables that also read them, so that no document can name a setting
//! that is not there, or another default. The schema is in `schema`. Invariant: pure functions of
//! the tables; they know no configuration and no secret.

use super::app_knobs::APPS;
use super::knob::{Accepts, Knob};
pub use super::moves::{names_of_laravel_websockets, names_of_reverb, names_of_soketi};
use super::own_names;
pub use super::schema::schema;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::{reload, variable::Variable};
use crate::app::App;

const FILE_HEAD: &str = "\
# Configuration of shardcast: every setting with its default.
#
# A line that begins with # and no space behind it is a setting: take the # away to set it.
# Unknown keys are refused. `shardcast check --config FILE` reads a file and starts nothing.
";

const APPS_HEAD: &str = "
# Apps: any number of tables [[apps]], each with id, key and secret of its own. Without any, and
# without variables that describe one, a demo app is served to this machine only.

#[[apps]]
";

const ENVIRONMENT_HEAD: &str = "\
# Variables of shardcast: every setting with its default, as a .env file has them.
#
# A line that begins with # and no space behind it is a variable: take the # away to set it. A
# variable wins over the configuration file, a flag over a variable. What is empty counts as unset.
# A secret may stand in a file that NAME_FILE names.

# The configuration file, as --config names it
#SHARDCAST_CONFIG=
";

const ENVIRONMENT_APPS: &str = "
# The one app that variables describe; further ones stand in the configuration file.
";

/// The app that the documents show.
fn example() -> App {
    App::new("my-app", "my-key", "my-secret")
}

/// A configuration file that sets nothing, with every setting and its default in it.
#[must_use]
pub fn default_file() -> String {
    let mut text = FILE_HEAD.to_owned();
    let config = Config::default();
    for (group, knobs) in grouped(SERVER) {
        text += &format!("\n# {group}\n\n");
        for (_, knob) in knobs {
            text += &file_entry(knob, (knob.show)(&config));
        }
    }
    text += APPS_HEAD;
    let app = example();
    for knob in APPS {
        let value = match knob.accepts {
            // The table never shows a secret; this one is an example.
            Accepts::Secret => format!("\"{}\"", app.secret.expose()),
            _ => (knob.show)(&app),
        };
        text += &file_entry(knob, value);
    }
    text
}

fn file_entry<T>(knob: &Knob<T>, value: String) -> String {
    let (key, help) = (knob.key, knob.help);
    let expected = knob.accepts.expected();
    match &*value {
        "" => format!("# {help}; {expected}\n# {key} is not set\n"),
        value => format!("# {help}\n#{key} = {value}\n"),
    }
}

/// The variables, as a `.env` file that sets nothing.
#[must_use]
pub fn environment() -> String {
    let mut text = ENVIRONMENT_HEAD.to_owned();
    let config = Config::default();
    for (group, knobs) in grouped(SERVER) {
        text += &format!("\n# {group}\n\n");
        for (place, knob) in knobs {
            let name = &own_names::of_server()[place];
            text += &variable_entry(knob, name, &(knob.show)(&config));
        }
    }
    text += ENVIRONMENT_APPS;
    let app = example();
    for (knob, name) in APPS.iter().zip(own_names::of_apps()) {
        let value = match knob.accepts {
            Accepts::Secret => app.secret.expose().to_owned(),
            _ => (knob.show)(&app),
        };
        text += &variable_entry(knob, name, &value);
    }
    text
}

fn variable_entry<T>(knob: &Knob<T>, name: &str, value: &str) -> String {
    let others: Vec<String> = knob.variables.iter().map(other_name).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; also {}", others.join(", ")),
    };
    format!("\n# {}{others}\n#{name}={}\n", knob.help, plain(value))
}

fn other_name(variable: &Variable) -> String {
    format!("{}{}", variable.name, variable.note())
}

/// A value as a variable has it: no quotes, and a list with commas between.
fn plain(toml: &str) -> String {
    let is_list = toml.starts_with('[') && !toml.contains('{') && toml != "[]";
    match is_list {
        true => toml.trim_matches(['[', ']']).replace(['"', ' '], ""),
        false => toml.trim_matches('"').to_owned(),
    }
}

/// The reference of all settings, in Markdown: a table for each group.
#[must_use]
pub fn document() -> String {
    let mut text = String::new();
    let config = Config::default();
    for (group, knobs) in grouped(SERVER) {
        text += &format!("### {group}\n\n{TABLE_HEAD}");
        for (place, knob) in knobs {
            let name = &own_names::of_server()[place];
            let is_live = reload::LIVE.contains(&knob.key);
            text += &row(knob, name, &(knob.show)(&config), is_live);
        }
        text.push('\n');
    }
    text += "### Apps\n\nKeys of a table `[[apps]]`; the variables are those of the one app that \
             the environment describes.\n\n";
    text += TABLE_HEAD;
    let app = App::new("", "", "");
    for (knob, name) in APPS.iter().zip(own_names::of_apps()) {
        let value = match knob.accepts {
            Accepts::Name { .. } | Accepts::Secret => String::new(),
            _ => (knob.show)(&app),
        };
        text += &row(knob, name, &value, knob.key != "id");
    }
    text
}

const TABLE_HEAD: &str = "\
| key | flag | variables | default | accepts | what it does | reload |
|---|---|---|---|---|---|---|
";

fn row<T>(knob: &Knob<T>, own: &str, default: &str, is_live: bool) -> String {
    let code = |text: &str| match text {
        "" => String::new(),
        text => format!("`{text}`"),
    };
    let others = knob.variables.iter();
    let others = others.map(|variable| format!("<br>`{}`{}", variable.name, variable.note()));
    let variables = code(own) + &others.collect::<String>();
    let flag = knob
        .flag
        .map_or_else(String::new, |flag| format!("--{flag}"));
    let expected = knob.accepts.expected();
    let accepts = expected.strip_prefix("expected ").unwrap_or(&expected);
    let cells = [
        code(knob.key),
        code(&flag),
        variables,
        code(default),
        accepts.to_owned(),
        knob.help.to_owned(),
        if is_live { "yes" } else { "no" }.to_owned(),
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// A heading, and the knobs under it with their places in the table.
type Group<T> = (&'static str, Vec<(usize, &'static Knob<T>)>);

/// The settings by their headings, in the order in which those come up first; each with its place
/// in the table.
fn grouped<T>(table: &'static [Knob<T>]) -> Vec<Group<T>> {
    let mut groups: Vec<(&str, Vec<_>)> = Vec::new();
    for (place, knob) in table.iter().enumerate() {
        match groups.iter_mut().find(|(group, _)| *group == knob.group) {
            Some((_, knobs)) => knobs.push((place, knob)),
            None => groups.push((knob.group, vec![(place, knob)])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::file;
    use std::path::Path;

    /// The settings of a document in force: what begins with `#` and no space.
    fn uncommented(text: &str) -> String {
        let lines = text.lines().filter_map(|line| {
            let setting = line.strip_prefix('#')?;
            setting
                .starts_with(|c: char| !c.is_whitespace())
                .then_some(setting)
        });
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    fn shown<T>(table: &[Knob<T>], of: &T) -> Vec<(&'static str, String)> {
        let knobs = table.iter();
        knobs.map(|knob| (knob.key, (knob.show)(of))).collect()
    }

    fn read(text: &str) -> (Config, Vec<App>) {
        let layer = file::parse(Path::new("default.toml"), text, None).unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        let apps = layer.apps.iter().map(|from| {
            let mut app = App::new("", "", "");
            from.settings.apply(&mut app);
            app
        });
        (config, apps.collect())
    }

    #[test]
    fn the_default_file_sets_nothing_and_its_settings_are_the_defaults() {
        let text = default_file();
        let (config, apps) = read(&text);
        assert_eq!(shown(SERVER, &config), shown(SERVER, &Config::default()));
        assert!(apps.is_empty());
        // Others than the defaults show that all of them are set by it.
        let (_, apps) = read(&uncommented(&text));
        assert_eq!(shown(APPS, &apps[0]), shown(APPS, &example()));
        assert_eq!(apps[0].secret.expose(), "my-secret");
        let layer = file::parse(Path::new("x"), &uncommented(&text), None).unwrap();
        for knob in SERVER {
            let has_default = !(knob.show)(&Config::default()).is_empty();
            assert_eq!(layer.server.has(knob.key), has_default, "{}", knob.key);
            let told = format!("# {} is not set", knob.key);
            assert_eq!(text.contains(&told), !has_default, "{}", knob.key);
        }
        let (config, _) = read(&uncommented(&text));
        assert_eq!(shown(SERVER, &config), shown(SERVER, &Config::default()));
    }

    #[test]
    fn every_setting_stands_in_every_document_once() {
        let (variables, reference) = (environment(), document());
        for name in own_names::of_server().iter().chain(own_names::of_apps()) {
            let line = format!("\n#{name}=");
            assert_eq!(variables.matches(&line).count(), 1, "{name}");
            assert_eq!(
                reference.matches(&format!("| `{name}`")).count(),
                1,
                "{name}"
            );
        }
        let settings = SERVER.len() + APPS.len();
        let rows = reference.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), settings);
        for line in reference.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 8, "{line}");
        }
    }

    #[test]
    fn values_are_written_as_variables_have_them() {
        for (toml, text) in [
            ("6001", "6001"),
            ("\"127.0.0.1\"", "127.0.0.1"),
            ("[0, 2]", "0,2"),
            ("[\"a.com\", \"*.b.com\"]", "a.com,*.b.com"),
            ("[]", "[]"),
            ("", ""),
        ] {
            assert_eq!(plain(toml), text);
        }
    }
}
