//! What the names of other servers are here, in Markdown: made from the tables that read them, so
//! that the documents promise nothing else.

use super::app_knobs::APPS;
use super::foreign::{Name, Rule};
use super::knob::Knob;
use super::laravel_names::{LARAVEL_WEBSOCKETS, PING_INTERVAL, REVERB};
use super::server_knobs::SERVER;
use super::soketi_file::SOKETI_FILE;
use super::soketi_names::SOKETI;

/// The variables of soketi, and the keys of its file.
#[must_use]
pub fn names_of_soketi() -> String {
    table(SOKETI.iter().chain(SOKETI_FILE))
}

/// The variables of Reverb, and what its configuration calls them.
#[must_use]
pub fn names_of_reverb() -> String {
    table(REVERB.iter())
}

/// The same of laravel-websockets.
#[must_use]
pub fn names_of_laravel_websockets() -> String {
    table(LARAVEL_WEBSOCKETS.iter())
}

fn table(names: impl Iterator<Item = &'static Name>) -> String {
    let mut text = "| variable | its key | default there | here |\n|---|---|---|---|\n".to_owned();
    for name in names {
        let code = |text: &str| match text {
            "" => String::new(),
            text => format!("`{text}`"),
        };
        let cells = [
            code(name.variable),
            code(name.option),
            code(name.default),
            meaning(name),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

fn meaning(name: &'static Name) -> String {
    match &name.rule {
        Rule::Setting if name.variable == PING_INTERVAL => {
            "`activity_grace_ms`: what is left of it behind `apps.activity_timeout_s`".to_owned()
        }
        Rule::Setting => {
            let all = settings(SERVER, "", name).chain(settings(APPS, "apps.", name));
            all.collect::<Vec<_>>().join("; ")
        }
        Rule::Word(words, why) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or refused: {why}", words.join(", "))
        }
        Rule::Default(why) => format!("that default, or refused: {why}"),
        Rule::Holds(_, why) => format!("holds whatever it says: {why}"),
        Rule::Told(why) => format!("no effect, with a warning: {why}"),
        Rule::Clients(why) => format!("not looked at: {why}"),
    }
}

fn settings<T>(
    table: &'static [Knob<T>],
    prefix: &'static str,
    name: &'static Name,
) -> impl Iterator<Item = String> {
    table.iter().flat_map(move |knob| {
        let mut variables = knob.variables.iter();
        let variable = variables.find(|variable| variable.name == name.variable);
        variable.map(|variable| format!("`{prefix}{}`{}", knob.key, variable.note()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::foreign;

    #[test]
    fn every_name_means_something() {
        let names = foreign::variables().chain(SOKETI_FILE);
        for name in names {
            assert!(
                !meaning(name).is_empty(),
                "{} {}",
                name.variable,
                name.option
            );
        }
        assert_eq!(
            names_of_soketi().lines().count(),
            2 + 115 + SOKETI_FILE.len()
        );
    }

    #[test]
    fn every_variable_of_another_server_is_in_its_table() {
        let of = |variable: &str| {
            let foreign = ["SOKETI_", "REVERB_", "PUSHER_", "LARAVEL_"];
            let is_extra = variable == "SOKETI_HTTP_MAX_REQUEST_SIZE"; // in its documents only
            foreign.iter().any(|prefix| variable.starts_with(prefix)) && !is_extra
        };
        let server = SERVER.iter().flat_map(|knob| knob.variables);
        let all = server.chain(APPS.iter().flat_map(|knob| knob.variables));
        for variable in all.filter(|variable| of(variable.name)) {
            let mut names = foreign::variables();
            let name = names.find(|name| name.variable == variable.name);
            let is_setting = name.is_some_and(|name| matches!(name.rule, Rule::Setting));
            assert!(is_setting, "{}", variable.name);
        }
    }
}
