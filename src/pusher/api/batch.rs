//! `POST /apps/ID/batch_events` (section 8.4): all or nothing, in the order of the list.

use super::events::write_attributes;
use super::route::{busy, error};
use crate::http::Response;
use crate::id::AppSlot;
use crate::protocol::publish;
use crate::pusher::Pusher;

impl Pusher {
    pub(super) async fn post_batch(&self, app: AppSlot, body: &mut [u8]) -> Response {
        let data_max = self.hub.borrow().apps().get(app).app.event_data_bytes;
        let parsed = publish::batch(&mut self.reader.borrow_mut(), body, data_max);
        let batch = match parsed {
            Ok(batch) => batch,
            Err(refusal) => return error(refusal.status(), &refusal.to_string()),
        };
        if !self.room_for(app, &batch).await {
            return busy();
        }
        self.publish_all(app, &batch).await;
        if !batch.iter().any(|publication| publication.info.any()) {
            return Response::json(200, "{}");
        }
        let mut out = b"{\"batch\":[".to_vec();
        for (index, publication) in batch.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let channel = publication.channels[0];
            if publication.info.any() {
                let state = self.state_of(app, channel).await;
                write_attributes(channel, publication.info, state, &mut out);
            } else {
                out.extend_from_slice(b"{}");
            }
        }
        out.extend_from_slice(b"]}");
        Response::json(200, out)
    }
}
