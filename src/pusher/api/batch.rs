//! `POST /apps/ID/batch_events` (section 8.4): all or nothing, in the order of the list.

use super::route::{Caller, busy};
use crate::http::Response;
use crate::protocol::publish;
use crate::pusher::Pusher;

impl Pusher {
    pub(super) async fn post_batch(&self, caller: &Caller, body: &mut [u8]) -> Response {
        let app = caller.app;
        let limits = self.publish_limits(app);
        let parsed = publish::batch(&mut self.reader.borrow_mut(), body, limits);
        let weight = parsed.as_ref().map_or(1, Vec::len); // one channel each
        let (batch, leave) = match self.publishable(caller, weight, parsed).await {
            Ok(publishable) => publishable,
            Err(response) => return *response,
        };
        if !self.room_for(app, &batch).await {
            return busy();
        }
        self.publish_all(app, &batch).await;
        if !batch.iter().any(|publication| publication.info.any()) {
            return leave.note(Response::json(200, "{}"));
        }
        let mut out = b"{\"batch\":[".to_vec();
        for (index, publication) in batch.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let channel = publication.channels[0];
            self.write_info(app, channel, publication.info, &mut out)
                .await;
        }
        out.extend_from_slice(b"]}");
        leave.note(Response::json(200, out))
    }
}
