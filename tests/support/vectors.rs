//! The vectors that all Pusher SDKs agree on.

use super::sign::Keys;
use serde_json::Value;
use shardcast::app::App;

/// All sections.
pub fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors.json")).expect("the vectors are JSON")
}

/// The entries of a section, of which there must be so many.
pub fn entries<'v>(vectors: &'v Value, section: &str, count: usize) -> &'v [Value] {
    let entries = vectors[section].as_array().expect(section);
    assert_eq!(entries.len(), count, "{section}");
    entries
}

/// The three apps of the vectors, as a server is configured with them.
pub fn apps(vectors: &Value) -> Vec<App> {
    let apps = vectors["apps"].as_object().expect("apps");
    let app = |app: &Value| App::new(text(app, "id"), text(app, "key"), text(app, "secret"));
    apps.values().map(app).collect()
}

/// The credentials of the app that an entry names.
pub fn keys_of(vectors: &Value, entry: &Value) -> Keys {
    let app = &vectors["apps"][text(entry, "app")];
    Keys::new(text(app, "id"), text(app, "key"), text(app, "secret"))
}

/// A field that is a string.
pub fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry[field].as_str().expect(field)
}
