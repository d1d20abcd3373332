//! Events that come without a JSON body: in the query (R12), or as the body itself (section 8.9).
//! Both are written as the body that `events` takes, so that one reader judges them all.

use super::route::{Caller, error, is_item_of, parameter};
use crate::http::Response;
use crate::http::query::{self, Plus};
use crate::protocol::json::quote;
use crate::pusher::Pusher;

/// Writes the event that the parameters of a query hold; nothing when none of them is of an event.
pub(super) fn event_in_query(query: &str, plus: Plus, out: &mut Vec<u8>) {
    let mut object = Object { out };
    let mut channels = Vec::new();
    for (key, value) in query::parse(query, plus) {
        let Ok(value) = str::from_utf8(&value) else {
            return object.spoil();
        };
        let is = |name: &str| key.eq_ignore_ascii_case(name.as_bytes());
        if is("channels") || is_item_of(&key, b"channels") {
            channels.push(value.to_owned());
        }
        let known = ["name", "data", "channel", "socket_id", "info"];
        if let Some(name) = known.into_iter().find(|name| is(name)) {
            object.string(name, value);
        }
    }
    if !channels.is_empty() {
        object.strings("channels", &channels);
    }
    object.end();
}

/// A JSON object under way.
struct Object<'o> {
    out: &'o mut Vec<u8>,
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        quote(key, self.out);
        self.out.push(b':');
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(value, self.out);
    }

    fn strings(&mut self, key: &str, values: &[String]) {
        self.key(key);
        for (index, value) in values.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            quote(value, self.out);
        }
        self.out.push(b']');
    }

    fn end(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'}');
        }
    }

    /// Leaves what no reader takes.
    fn spoil(&mut self) {
        self.out.clear();
    }
}

impl Pusher {
    /// `POST /apps/ID/channels/NAME/events?name=E&socket_id=S`: the body is the data. Answered 202,
    /// as SDKs of that time expect.
    pub(super) async fn post_channel_event(
        &self,
        caller: &Caller,
        channel: &str,
        query: &str,
        body: &[u8],
    ) -> Response {
        let mut event = Vec::with_capacity(body.len() + 64);
        // Text that is none is left for the reader to refuse, behind the checks that come first.
        if let Ok(data) = str::from_utf8(body) {
            let mut object = Object { out: &mut event };
            object.string("channel", channel);
            object.string("data", data);
            for name in ["name", "socket_id"] {
                if let Some(value) = parameter(query, name, caller.verified.plus) {
                    object.string(name, &value);
                }
            }
            object.end();
        }
        let response = self.publish_event(caller, &mut event).await;
        if response.status() == 200 {
            return response.with_status(202);
        }
        if event.is_empty() && response.status() == 400 {
            return error(400, "Expected the body to be text in UTF-8");
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(query: &str) -> String {
        let mut out = Vec::new();
        event_in_query(query, Plus::Literal, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parameters_become_the_body_that_they_stand_for() {
        // R12, as in the vector query-only-events
        let query = "auth_key=k&channels%5B%5D=a&channels%5B%5D=b&data=%7B%7D&name=e";
        let body = r#"{"data":"{}","name":"e","channels":["a","b"]}"#;
        assert_eq!(written(query), body);
        let query = "Name=%22&channel=a&socket_id=1.2&info=user_count&x=y&data=1+1";
        let body = concat!(
            r#"{"name":"\"","channel":"a","socket_id":"1.2","info":"user_count","#,
            r#""data":"1+1"}"#
        );
        assert_eq!(written(query), body);
    }

    #[test]
    fn a_query_without_an_event_is_no_body() {
        assert_eq!(written(""), "");
        assert_eq!(written("auth_key=k&body_md5=x"), "");
        assert_eq!(written("name=e&channel=a&data=%FF"), "");
    }
}
