//! What settings are unless somebody sets them, as text.

use super::app_knobs::APPS;
use super::knob::Knob;
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::app::App;

/// The default of a setting of the server; empty when it has none.
///
/// # Panics
/// When there is no such setting.
pub(in crate::server) fn server_default(key: &str) -> String {
    of(SERVER, key, &Config::default())
}

/// The default of a setting of each app; empty when it has none.
///
/// # Panics
/// When there is no such setting.
pub(in crate::server) fn app_default(key: &str) -> String {
    of(APPS, key, &App::new("", "", ""))
}

fn of<T>(table: &[Knob<T>], key: &str, defaults: &T) -> String {
    let knob = table.iter().find(|knob| knob.key == key);
    let shown = (knob.expect("callers name a setting we have").show)(defaults);
    match &*shown {
        "-1" => String::new(),
        shown => shown.to_owned(),
    }
}

/// The settings that bound something, of which the documents have a table.
#[cfg(test)]
pub(in crate::server) fn limits() -> impl Iterator<Item = &'static str> {
    let bounds = SERVER
        .iter()
        .filter(|knob| knob.group == "Limits and deadlines");
    bounds.map(|knob| knob.key)
}
