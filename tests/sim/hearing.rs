//! More of what a client judges: successes, cached events, counts, and the rate of its own events.

use crate::client::{Active, Client, Next};
use crate::model::{ChannelNo, Model, Stamp};
use crate::said::Said;
use crate::verdict::{promise, promised};
use std::collections::BTreeMap;

impl Client {
    /// Success on a channel without presence: from the home, or on the spot.
    pub fn hear_success(&mut self, channel: ChannelNo, stamp: Option<&Stamp>, model: &Model) {
        let (id, at) = (self.id, &model.channels[channel]);
        promise!(
            View,
            !at.is_presence(),
            "{id:?} gets no members of {}",
            at.name
        );
        let next = match stamp {
            Some(stamp) => {
                promise!(
                    Reply,
                    stamp.channel == channel,
                    "{id:?} hears of the wrong {}",
                    at.name
                );
                Next::At(stamp.position)
            }
            None => Next::Between {
                from: at.seen[id.shard().index()],
                until: at.log.len(),
            },
        };
        let socket = self.socket;
        let subscription = self.answered(channel);
        let known = subscription.active.as_ref().map(|active| active.next);
        match &mut subscription.active {
            Some(active) if !at.is_cache() => active.let_in(match next {
                Next::At(position) => position,
                Next::Between { until, .. } => until,
            }),
            Some(_) => {}
            None => {
                subscription.active = Some(Active {
                    next,
                    view: BTreeMap::new(),
                    count: None,
                });
            }
        }
        if !at.is_cache() {
            return;
        }
        let stamp = promised!(
            Reply,
            stamp,
            "{id:?} is let into {}, but not by its home",
            at.name
        );
        self.cached_due = Some((channel, stamp.cached));
        if let Some(Next::At(next)) = known {
            let (next, due) = (
                model.due(channel, next, socket),
                model.due(channel, stamp.position, socket),
            );
            promise!(
                Run,
                next == due,
                "{id:?} is let into {} at {due}, but is at {next}",
                at.name
            );
        }
    }

    /// C2, C3: right after the success comes the event that the home had then, whoever is excluded
    /// from it, or word that there was none.
    pub fn hear_cached(&self, at: ChannelNo, number: Option<usize>, said: &Said, model: &Model) {
        let channel = model.channels[at].name.clone();
        let right = match number.map(|number| &model.events[number]) {
            None => Said::Missed { channel },
            Some(event) => Said::Event {
                channel,
                event: event.name.clone(),
                data: event.data.clone(),
                user_id: None,
            },
        };
        promise!(
            Run,
            *said == right,
            "{:?} waits for {right:?}, not {said:?}",
            self.id
        );
    }

    /// Section 3.7: nobody hears of counts but those who are subscribed where they are told.
    pub fn hear_count(&mut self, channel: ChannelNo, count: u64, model: &Model) {
        let (id, name) = (self.id, &model.channels[channel].name);
        let told = model.is_counted(channel) && count > 0;
        promise!(View, told, "{id:?} is told of {count} in {name}");
        let known = self.subscriptions.get_mut(&channel);
        let active = known.and_then(|known| known.active.as_mut());
        let active = promised!(Period, active, "{id:?} is not in {name}, of {count}");
        active.count = Some(count);
    }

    /// CE5: a client event was sent on, found no room, or was refused for its rate. A second's
    /// worth may come at once, no more than the rate after that; the quiet are not refused.
    pub fn tell_rate(&mut self, rate: u32, sent: bool, room: bool, now_ms: u64) {
        let id = self.id;
        if room && !sent {
            let recent = self
                .counted_ms
                .is_some_and(|last_ms| now_ms < last_ms + 1_000);
            promise!(
                Reply,
                recent,
                "{id:?} is refused for its rate at {now_ms} ms"
            );
            return;
        }
        self.counted_ms = Some(now_ms);
        if !sent {
            return;
        }
        self.sent_ms.push(now_ms);
        for (at, since_ms) in self.sent_ms.iter().enumerate() {
            let count = (self.sent_ms.len() - at) as u64;
            let most = u64::from(rate) * (1_000 + now_ms - since_ms) / 1_000;
            promise!(
                Reply,
                count <= most,
                "{id:?} sends {count} since {since_ms} ms"
            );
        }
    }
}
