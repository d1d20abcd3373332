//! `POST /apps/ID/users/UID/terminate_connections` (sections 7.5 and 8.8).

use super::route::error;
use crate::http::Response;
use crate::hub::Question;
use crate::id::AppSlot;
use crate::protocol::user::channel_of;
use crate::pusher::Pusher;

impl Pusher {
    /// Answered when every shard that is concerned has been told; the same for a user that nobody
    /// has ever heard of.
    pub(super) async fn post_terminate(
        &self,
        app: AppSlot,
        user: &str,
        body: &mut [u8],
    ) -> Response {
        let is_object = body.is_empty() || {
            let mut reader = self.reader.borrow_mut();
            reader.read(body, |value| value.is_object()) == Ok(true)
        };
        if !is_object {
            return error(400, "Expected the body to be empty or a JSON object");
        }
        let (home, channel) = self.channel_at(app, &channel_of(user));
        self.ask(home, Question::Terminate(channel)).await;
        Response::json(200, "{}")
    }
}
