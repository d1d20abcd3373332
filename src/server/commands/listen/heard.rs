//! What a frame of the server means, and how it is printed.
//!
//! Pure. What came over the network is printed so that no terminal obeys it.

use super::super::terminal::{plain, plain_json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A frame of the server (section 2.1).
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    pub(super) event: String,
    #[serde(default)]
    pub(super) channel: Option<String>,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    user_id: Option<String>,
}

impl Frame {
    /// The data, taken out of its string where it is JSON in one (W6).
    pub(super) fn data(&self) -> Value {
        match &self.data {
            Value::String(text) => {
                let read = serde_json::from_str(text);
                read.unwrap_or_else(|_| self.data.clone())
            }
            other => other.clone(),
        }
    }

    /// A text of the data.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.data().get(key)?.as_str().map(str::to_owned)
    }

    /// Whether it is an event that somebody published, and no word of the protocol.
    pub(super) fn is_published(&self) -> bool {
        !self.event.starts_with("pusher:") && !self.event.starts_with("pusher_internal:")
    }

    /// Whether it is called so: as it travels, or as clients know it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.event == name || self.name() == name
    }

    /// The name under which clients know it: those within the protocol have another one there.
    fn name(&self) -> String {
        match self.event.strip_prefix("pusher_internal:") {
            Some(name) => format!("pusher:{name}"),
            None => self.event.clone(),
        }
    }

    /// As one line of JSON, heard so long after 1970.
    pub(super) fn as_json(&self, at: Duration) -> String {
        let mut line = json!({
            "time_ms": u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            "channel": self.channel,
            "event": self.name(),
            "data": self.data(),
        });
        if let Some(user_id) = &self.user_id {
            line["user_id"] = json!(user_id);
        }
        plain_json(&line.to_string()) + "\n"
    }

    /// As one line for people.
    pub(super) fn as_text(&self, at: Duration, colour: bool) -> String {
        let (dim, bold, end) = match colour {
            true => ("\u{1b}[2m", "\u{1b}[1m", "\u{1b}[0m"),
            false => ("", "", ""),
        };
        let what = match &self.event[..] {
            "pusher_internal:subscription_succeeded" => self.members(),
            "pusher_internal:member_added" => format!("+ {}", self.member()),
            "pusher_internal:member_removed" => format!("- {}", self.member()),
            _ => {
                let data = match &self.data {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let from = self
                    .user_id
                    .as_ref()
                    .map(|id| format!("  (from {})", plain(id)));
                let (name, from) = (plain(&self.name()), from.unwrap_or_default());
                format!("{bold}{name}{end}  {}{from}", plain(&data))
            }
        };
        let channel = plain(self.channel.as_deref().unwrap_or("-"));
        format!("{dim}{}{end}  {channel}  {what}\n", clock(at))
    }

    /// Who is in a channel.
    fn members(&self) -> String {
        let data = self.data();
        let ids = data["presence"]["ids"].as_array();
        let ids = ids.into_iter().flatten().filter_map(Value::as_str);
        let ids: Vec<String> = ids.map(plain).collect();
        format!("members: {}", ids.join(", "))
    }

    /// Who has come or gone.
    fn member(&self) -> String {
        let data = self.data();
        let id = plain(data["user_id"].as_str().unwrap_or("?"));
        match &data["user_info"] {
            Value::Null => id,
            info => format!("{id}  {}", plain(&info.to_string())),
        }
    }
}

/// The time of day in UTC.
fn clock(at: Duration) -> String {
    let seconds = at.as_secs() % (24 * 60 * 60);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        seconds % 60,
        at.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_millis(1_700_000_000_123);

    fn frame(text: &str) -> Frame {
        serde_json::from_str(text).unwrap()
    }

    fn text(of: &str) -> String {
        frame(of).as_text(AT, false)
    }

    #[test]
    fn an_event_is_one_line() {
        let news = r#"{"event":"hello","channel":"news","data":"{\"a\": 1}"}"#;
        assert_eq!(text(news), "22:13:20.123  news  hello  {\"a\": 1}\n");
        let json = "{\"channel\":\"news\",\"data\":{\"a\":1},\"event\":\"hello\",\
                    \"time_ms\":1700000000123}\n";
        assert_eq!(frame(news).as_json(AT), json);
        let coloured = frame(news).as_text(AT, true);
        assert!(coloured.contains("\u{1b}[1mhello\u{1b}[0m"), "{coloured:?}");
    }

    // W6
    #[test]
    fn data_that_is_no_json_stays_text() {
        let plain = frame(r#"{"event":"e","channel":"c","data":"hello"}"#);
        assert_eq!(plain.data(), Value::from("hello"));
        assert!(plain.as_text(AT, false).ends_with("  e  hello\n"));
    }

    #[test]
    fn an_event_of_the_protocol_has_the_name_that_travels_and_the_one_that_is_printed() {
        let added = frame(r#"{"event":"pusher_internal:member_added","channel":"presence-a"}"#);
        assert!(added.is_called("pusher:member_added"));
        assert!(added.is_called("pusher_internal:member_added"));
        assert!(!added.is_called("member_added") && !added.is_called("pusher:member_removed"));
    }

    // W4
    #[test]
    fn who_said_it_is_told() {
        let client = r#"{"event":"client-x","channel":"presence-a","data":"1","user_id":"7"}"#;
        assert!(text(client).ends_with("presence-a  client-x  1  (from 7)\n"));
        assert!(frame(client).as_json(AT).contains("\"user_id\":\"7\""));
    }

    #[test]
    fn members_are_told_as_they_come_and_go() {
        let internal = |event: &str, data: Value| {
            let data = data.to_string();
            let event = format!("pusher_internal:{event}");
            json!({ "event": event, "channel": "presence-a", "data": data }).to_string()
        };
        let presence = json!({ "presence": { "count": 2, "ids": ["1", "2"], "hash": {} } });
        let here = text(&internal("subscription_succeeded", presence));
        assert!(here.ends_with("presence-a  members: 1, 2\n"), "{here}");
        let member = json!({ "user_id": "3", "user_info": { "name": "Zoë" } });
        let added = internal("member_added", member);
        assert!(
            text(&added).ends_with("+ 3  {\"name\":\"Zoë\"}\n"),
            "{}",
            text(&added)
        );
        assert!(
            frame(&added)
                .as_json(AT)
                .contains("\"event\":\"pusher:member_added\"")
        );
        let removed = text(&internal("member_removed", json!({ "user_id": "3" })));
        assert!(removed.ends_with("presence-a  - 3\n"), "{removed}");
    }

    #[test]
    fn nobody_who_publishes_drives_the_terminal() {
        let bad =
            json!({ "event": "\u{1b}[2J", "channel": "a", "data": "\u{1b}]0;x\u{7}\n\u{9b}1A" });
        let bad = frame(&bad.to_string());
        for line in [bad.as_text(AT, false), bad.as_json(AT)] {
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
