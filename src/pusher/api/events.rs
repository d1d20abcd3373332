//! `POST /apps/ID/events` (section 8.3).

use super::route::{busy, error};
use crate::http::Response;
use crate::hub::{Answer, ChannelState, Question, Relay};
use crate::id::{AppSlot, ShardId};
use crate::limits::CHANNEL_NAME_MAX;
use crate::net::pause_ms;
use crate::protocol::ChannelKind;
use crate::protocol::json::{quote, write_integer};
use crate::protocol::publish::{self, Attributes, Publication};
use crate::pusher::Pusher;
use smallvec::SmallVec;

/// How long a publish waits for a home that has too much to do, before it is answered 503.
const ROOM_TRIES: u32 = 25;
const ROOM_PAUSE_MS: u64 = 4;

impl Pusher {
    pub(super) async fn post_event(&self, app: AppSlot, body: &mut [u8]) -> Response {
        let data_max = self.hub.borrow().apps().get(app).app.event_data_bytes;
        let parsed = publish::event(&mut self.reader.borrow_mut(), body, data_max);
        let publication = match parsed {
            Ok(publication) => publication,
            Err(refusal) => return error(refusal.status(), &refusal.to_string()),
        };
        if !self.room_for(app, std::slice::from_ref(&publication)).await {
            return busy();
        }
        self.publish_all(app, std::slice::from_ref(&publication))
            .await;
        if !publication.info.any() {
            return Response::json(200, "{}");
        }
        let mut out = b"{\"channels\":{".to_vec();
        for (index, channel) in publication.channels.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            quote(channel, &mut out);
            out.push(b':');
            let state = self.state_of(app, channel).await;
            write_attributes(channel, publication.info, state, &mut out);
        }
        out.extend_from_slice(b"}}");
        Response::json(200, out)
    }

    /// Publishes in the order of the request, and waits until every home has put it in order:
    /// whoever has our answer may publish again through any shard, and comes behind it (S15).
    pub(super) async fn publish_all(&self, app: AppSlot, items: &[Publication<'_>]) {
        for publication in items {
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

    /// The counts of a channel, from its home.
    pub(super) async fn state_of(&self, app: AppSlot, channel: &str) -> ChannelState {
        let (home, name) = self.channel_at(app, channel);
        match self.ask(home, Question::Channel(name)).await {
            Answer::Channel(state) => state,
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        }
    }

    pub(super) fn channel_at(
        &self,
        app: AppSlot,
        channel: &str,
    ) -> (ShardId, crate::hub::ChannelName) {
        let hub = self.hub.borrow();
        (hub.home_of(app, channel), hub.channel_name(app, channel))
    }
}

/// The attributes that were asked for and fit the kind of channel, as an object (R10).
pub(super) fn write_attributes(
    channel: &str,
    asked: Attributes,
    state: ChannelState,
    out: &mut Vec<u8>,
) {
    let is_presence =
        ChannelKind::of(channel, CHANNEL_NAME_MAX).is_ok_and(ChannelKind::is_presence);
    out.push(b'{');
    if asked.user_count && is_presence {
        out.extend_from_slice(b"\"user_count\":");
        write_integer(state.users, out);
    }
    if asked.subscription_count {
        if asked.user_count && is_presence {
            out.push(b',');
        }
        out.extend_from_slice(b"\"subscription_count\":");
        write_integer(state.subscriptions, out);
    }
    out.push(b'}');
}
