//! `POST /apps/ID/events` (section 8.3).

use super::pass::Leave;
use super::plain;
use super::route::{Caller, busy, error};
use crate::http::Response;
use crate::hub::{Question, Rated, Relay};
use crate::id::{AppSlot, ShardId};
use crate::net::pause_ms;
use crate::protocol::json::quote;
use crate::protocol::publish::{self, Limits, Publication, PublishError};
use crate::protocol::{ChannelKind, NameError};
use crate::pusher::Pusher;
use smallvec::SmallVec;

/// How long a publish waits for a home that has too much to do, before it is answered 503.
const ROOM_TRIES: u32 = 25;
const ROOM_PAUSE_MS: u64 = 4;

impl Pusher {
    pub(super) async fn post_event(
        &self,
        caller: &Caller,
        query: &str,
        body: &mut [u8],
    ) -> Response {
        let mut written = Vec::new();
        let body = match body.is_empty() {
            true => {
                plain::event_in_query(query, caller.verified.plus, &mut written); // R12
                written.as_mut_slice()
            }
            false => body,
        };
        self.publish_event(caller, body).await
    }

    /// Publishes the event that a body holds.
    pub(super) async fn publish_event(&self, caller: &Caller, body: &mut [u8]) -> Response {
        let app = caller.app;
        let limits = self.publish_limits(app);
        let parsed = publish::event(&mut self.reader.borrow_mut(), body, limits);
        let weight = parsed.as_ref().map_or(1, |event| event.channels.len());
        let (publication, leave) = match self.publishable(caller, weight, parsed).await {
            Ok(publishable) => publishable,
            Err(response) => return *response,
        };
        if !self.room_for(app, std::slice::from_ref(&publication)).await {
            return busy();
        }
        self.publish_all(app, std::slice::from_ref(&publication))
            .await;
        if !publication.info.any() {
            return leave.note(Response::json(200, "{}"));
        }
        let mut out = b"{\"channels\":{".to_vec();
        for (index, channel) in publication.channels.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            quote(channel, &mut out);
            out.push(b':');
            self.write_info(app, channel, publication.info, &mut out)
                .await;
        }
        out.extend_from_slice(b"}}");
        leave.note(Response::json(200, out))
    }

    /// Rows 10 to 12 of section 8.2: the rate comes first, although what it counts is known only
    /// from a body that makes sense. One that makes none counts once.
    ///
    /// # Errors
    /// The answer to what may not be published.
    pub(super) async fn publishable<T>(
        &self,
        caller: &Caller,
        weight: usize,
        parsed: Result<T, PublishError>,
    ) -> Result<(T, Leave), Box<Response>> {
        let leave = self.pass(caller, Some((Rated::Events, weight))).await?;
        match parsed {
            Ok(parsed) => Ok((parsed, leave)),
            Err(refusal) => {
                let response = error(refusal.status(), &refusal.to_string());
                Err(Box::new(leave.note(response)))
            }
        }
    }

    pub(super) fn publish_limits(&self, app: AppSlot) -> Limits {
        Limits::of(&self.hub.borrow().apps().get(app).app)
    }

    /// The kind of a channel, if the app may have one of that name.
    pub(super) fn kind_of(&self, app: AppSlot, channel: &str) -> Result<ChannelKind, NameError> {
        let max = self.hub.borrow().apps().get(app).app.channel_name_chars;
        ChannelKind::of(channel, max)
    }

    /// Publishes in the order of the request, and waits until every home has put it in order:
    /// whoever has our answer may publish again through any shard, and comes behind it (S15).
    pub(super) async fn publish_all(&self, app: AppSlot, items: &[Publication<'_>]) {
        self.time_next();
        for publication in items {
            self.note_publication(app, publication);
            self.publish(app, publication);
        }
        let mut asked: SmallVec<[ShardId; 2]> = SmallVec::new();
        for channel in items.iter().flat_map(|publication| &publication.channels) {
            let home = self.hub.borrow().home_of(app, channel);
            // The own shard has put it in order already.
            if home != self.endpoint.shard() && !asked.contains(&home) {
                asked.push(home);
                self.ask(home, Question::Ordered).await;
            }
        }
    }

    /// Publishes to each channel, in the order of the request.
    fn publish(&self, app: AppSlot, publication: &Publication<'_>) {
        let Publication {
            name: event,
            data,
            channels,
            except,
            ..
        } = publication;
        for channel in channels {
            let (data, user_id, except) = (data.as_ref(), None, *except);
            let relay = Relay {
                app,
                channel,
                event,
                data,
                user_id,
                except,
            };
            self.drive(|hub, effects| hub.publish(relay, effects));
        }
    }

    /// Waits until every home that is concerned takes publishes; false when that takes too
    /// long. Asked before the first channel is published to, so that a refusal is a refusal of
    /// all.
    pub(super) async fn room_for(&self, app: AppSlot, items: &[Publication<'_>]) -> bool {
        let has_room = || {
            let hub = self.hub.borrow();
            let mut channels = items.iter().flat_map(|item| &item.channels);
            channels.all(|channel| self.endpoint.has_room(hub.home_of(app, channel)))
        };
        for _ in 0..ROOM_TRIES {
            if has_room() {
                return true;
            }
            pause_ms(ROOM_PAUSE_MS).await;
        }
        has_room()
    }
}
