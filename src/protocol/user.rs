//! Signed-in users: what `user_data` may hold (rule U1), and the channel that is a user's own.

use super::channel_name::{USER_PREFIX, is_legal};
use crate::limits::USER_ID_MAX;
use serde_json::value::RawValue;

/// Who a connection has signed in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Not empty; only the characters of channel names, because it is part of one.
    pub id: Box<str>,
    /// A JSON object as text, exactly as it was signed; `None` when absent or null.
    pub user_info: Option<Box<str>>,
    /// The ids that this user wants to hear of (U11), in the order given, repeated or not.
    pub watchlist: Vec<Box<str>>,
}

/// Why `user_data` is refused although it may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserError {
    /// Not a JSON object with a string `id` and, if any, a `watchlist` of strings.
    Shape,
    /// `id` is empty or has a character that channel names may not have.
    Id,
    /// `id` is longer than 128 characters.
    IdTooLong,
    /// `user_info` is there and no object.
    UserInfo,
}

impl UserError {
    /// What a person reads.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Shape => {
                "The user_data must be an object with an id, which is a string, and perhaps a \
                 watchlist of strings."
            }
            Self::Id => "The id in user_data must be of the characters A-Z a-z 0-9 _ - = @ , . ;",
            Self::IdTooLong => "The id in user_data is too long.",
            Self::UserInfo => "The user_info in user_data must be an object.",
        }
    }
}

#[derive(serde::Deserialize)]
struct Fields<'a> {
    id: Box<str>,
    #[serde(borrow, default)]
    user_info: Option<&'a RawValue>,
    #[serde(default)]
    watchlist: Option<Vec<Box<str>>>,
}

impl User {
    /// Reads the text of `user_data`.
    ///
    /// # Errors
    /// [`UserError`] when it is not a user. A number is no id: pusher-js would throw our answer
    /// away.
    pub fn parse(user_data: &str) -> Result<Self, UserError> {
        if !user_data.trim_start().starts_with('{') {
            return Err(UserError::Shape); // serde would take an array for a struct
        }
        let fields: Fields<'_> = serde_json::from_str(user_data).map_err(|_| UserError::Shape)?;
        if !is_legal(&fields.id) {
            return Err(UserError::Id);
        }
        if fields.id.len() > USER_ID_MAX {
            return Err(UserError::IdTooLong);
        }
        let user_info = match fields.user_info.map(RawValue::get) {
            None | Some("null") => None,
            Some(text) if text.starts_with('{') => Some(text.into()),
            Some(_) => return Err(UserError::UserInfo),
        };
        Ok(Self {
            id: fields.id,
            user_info,
            watchlist: fields.watchlist.unwrap_or_default(),
        })
    }
}

/// The name of a user's own channel.
#[must_use]
pub fn channel_of(id: &str) -> String {
    format!("{USER_PREFIX}{id}")
}

/// The user whose own channel this is.
#[must_use]
pub fn user_of(channel: &str) -> Option<&str> {
    channel.strip_prefix(USER_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
    }

    #[test]
    fn every_user_of_the_vectors() {
        // U1
        for entry in vectors()["user_auth"].as_array().unwrap() {
            let text = entry["user_data"].as_str().unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            let user = User::parse(text).unwrap();
            assert_eq!(json!(user.id), value["id"]);
            let watchlist = value.get("watchlist").cloned().unwrap_or(json!([]));
            assert_eq!(json!(user.watchlist), watchlist);
            let info = user.user_info.map(|text| text.into_string());
            let info = info.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
            assert_eq!(info, value["user_info"]);
        }
    }

    #[test]
    fn what_is_no_user_is_refused() {
        // U1
        for (text, why) in [
            ("", UserError::Shape),
            ("nope", UserError::Shape),
            ("[\"a\"]", UserError::Shape),
            ("\"a\"", UserError::Shape),
            ("{}", UserError::Shape),
            (r#"{"id":1}"#, UserError::Shape),
            (r#"{"id":null}"#, UserError::Shape),
            (r#"{"id":["a"]}"#, UserError::Shape),
            (r#"{"id":"a"}x"#, UserError::Shape),
            (r#"{"id":"a","watchlist":"b"}"#, UserError::Shape),
            (r#"{"id":"a","watchlist":[1]}"#, UserError::Shape),
            (r#"{"id":"a","watchlist":{"b":1}}"#, UserError::Shape),
            (r#"{"id":""}"#, UserError::Id),
            (r#"{"id":"a b"}"#, UserError::Id),
            (r#"{"id":"a\n"}"#, UserError::Id),
            (r#"{"id":"ë"}"#, UserError::Id),
            (r#"{"id":"a","user_info":"b"}"#, UserError::UserInfo),
            (r#"{"id":"a","user_info":[]}"#, UserError::UserInfo),
            (r#"{"id":"a","user_info":7}"#, UserError::UserInfo),
        ] {
            assert_eq!(User::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn null_is_absent_and_other_keys_do_not_matter() {
        let text = r#"{ "id":"a", "user_info":null, "watchlist":null, "name":"x"}"#;
        let user = User::parse(text).unwrap();
        assert_eq!((user.user_info, user.watchlist), (None, vec![]));
    }

    #[test]
    fn the_id_is_limited() {
        let id = |n: usize| format!(r#"{{"id":"{}"}}"#, "a".repeat(n));
        assert!(User::parse(&id(USER_ID_MAX)).is_ok());
        assert_eq!(User::parse(&id(USER_ID_MAX + 1)), Err(UserError::IdTooLong));
    }

    #[test]
    fn a_users_channel_is_named_after_it() {
        assert_eq!(channel_of("a"), "#server-to-user-a");
        assert_eq!(user_of("#server-to-user-a"), Some("a"));
        assert_eq!(user_of("server-to-user-a"), None);
    }
}
