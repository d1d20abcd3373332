//! `GET /apps/ID/channels/NAME/users` (section 8.7).

use super::route::{error, parameter};
use crate::http::Response;
use crate::http::query::Plus;
use crate::hub::{Answer, Question};
use crate::id::AppSlot;
use crate::protocol::json::quote;
use crate::pusher::Pusher;

impl Pusher {
    pub(super) async fn get_users(
        &self,
        app: AppSlot,
        name: &str,
        query: &str,
        plus: Plus,
    ) -> Response {
        match self.kind_of(app, name) {
            Ok(kind) if kind.is_presence() => {}
            _ => return error(400, "Users can only be retrieved for presence channels"),
        }
        let (home, channel) = self.channel_at(app, name);
        let with_info = parameter(query, "with_user_info", plus).is_some_and(|value| value == "1");
        let question = Question::Users { channel, with_info };
        let users = match self.ask(home, question).await {
            Answer::Users(users) => users,
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        };
        let mut out = b"{\"users\":[".to_vec();
        for (index, user) in users.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"id\":");
            quote(&user.user_id, &mut out);
            if let Some(user_info) = &user.user_info {
                out.extend_from_slice(b",\"user_info\":");
                out.extend_from_slice(user_info.as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        Response::json(200, out)
    }
}
