//! Members of presence channels: what `channel_data` may hold (rules P5 to P8).

use crate::limits::USER_ID_MAX;
use serde_json::value::RawValue;

/// One user in a presence channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Compared and sent as a string, whatever it was (P6).
    pub user_id: Box<str>,
    /// A JSON object as text, exactly as it was signed; `None` when absent or null (P7).
    pub user_info: Option<Box<str>>,
}

/// Why `channel_data` is refused although it may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberError {
    /// Not a JSON object, or `user_id` is missing, empty, or neither string nor number.
    UserId,
    /// `user_id` is longer than 128 characters.
    UserIdTooLong,
    /// `user_info` is there and no object.
    UserInfo,
}

#[derive(serde::Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    user_id: &'a RawValue,
    #[serde(borrow, default)]
    user_info: Option<&'a RawValue>,
}

impl Member {
    /// Reads the text of `channel_data`.
    ///
    /// # Errors
    /// [`MemberError`]: an id that is too long is answered as `LimitReached`, the rest as
    /// `InvalidMember`.
    pub fn parse(channel_data: &str) -> Result<Self, MemberError> {
        if !channel_data.trim_start().starts_with('{') {
            return Err(MemberError::UserId); // serde would take an array for a struct
        }
        let fields: Fields<'_> =
            serde_json::from_str(channel_data).map_err(|_| MemberError::UserId)?;
        let user_id = match fields.user_id.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(fields.user_id.get())
                .map_err(|_| MemberError::UserId)
                .map(String::into_boxed_str)?,
            Some(b'-' | b'0'..=b'9') => fields.user_id.get().into(),
            _ => return Err(MemberError::UserId),
        };
        if user_id.is_empty() {
            return Err(MemberError::UserId);
        }
        if user_id.chars().nth(USER_ID_MAX).is_some() {
            return Err(MemberError::UserIdTooLong);
        }
        let user_info = match fields.user_info.map(RawValue::get) {
            None | Some("null") => None,
            Some(text) if text.starts_with('{') => Some(text.into()),
            Some(_) => return Err(MemberError::UserInfo),
        };
        Ok(Self { user_id, user_info })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &str) -> (String, Option<String>) {
        let member = Member::parse(text).unwrap();
        (member.user_id.into(), member.user_info.map(String::from))
    }

    #[test]
    fn ids_are_strings_whatever_they_were() {
        // P6
        assert_eq!(member(r#"{"user_id":"u-1"}"#), ("u-1".into(), None));
        assert_eq!(member(r#"{"user_id":7}"#).0, "7");
        assert_eq!(member(r#"{"user_id":-7.50}"#).0, "-7.50");
        assert_eq!(
            member(r#"{"user_id":123456789012345678901234567890}"#).0,
            "123456789012345678901234567890"
        );
        assert_eq!(member(r#"{"user_id":"\u00eb"}"#).0, "ë");
    }

    #[test]
    fn user_info_keeps_its_text() {
        // P7
        let text = r#"{ "user_info" : {"name": "Zoë ☃", "n":1.0}, "user_id":"a", "extra":1}"#;
        assert_eq!(
            member(text).1.as_deref(),
            Some(r#"{"name": "Zoë ☃", "n":1.0}"#)
        );
        assert_eq!(member(r#"{"user_id":"a","user_info":null}"#).1, None);
    }

    #[test]
    fn refused_members_of_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        let negative = vectors["presence_data_negative"].as_array().unwrap();
        assert_eq!(negative.len(), 8);
        for entry in negative {
            let text = entry["channel_data"].as_str().unwrap();
            assert!(Member::parse(text).is_err(), "{entry}");
        }
        for text in [
            r#"["a"]"#,
            r#"{"user_id":[]}"#,
            r#"{"user_id":"a","user_info":[]}"#,
        ] {
            assert!(Member::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_id_is_limited_in_characters() {
        // P8
        let id = |n: usize| format!(r#"{{"user_id":"{}"}}"#, "ë".repeat(n));
        assert!(Member::parse(&id(128)).is_ok());
        assert_eq!(Member::parse(&id(129)), Err(MemberError::UserIdTooLong));
    }
}
