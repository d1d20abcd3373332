//! `GET /apps/ID/channels` and `/channels/NAME` (sections 8.5 and 8.6), and `/connections`.

use super::attributes;
use super::route::{error, parameter};
use crate::http::Response;
use crate::http::query::Plus;
use crate::hub::{Answer, Cursor, Listed, Question};
use crate::id::{AppSlot, ShardId};
use crate::net::look_around;
use crate::protocol::json::{quote, write_integer};
use crate::protocol::publish::Attributes;
use crate::pusher::Pusher;

const NO_PRESENCE: &str = "user_count may only be requested for presence channels";

impl Pusher {
    /// Asks every home for its channels, in pieces: neither the homes nor this shard are kept from
    /// their other work by a long list (R15).
    pub(super) async fn get_channels(&self, app: AppSlot, query: &str, plus: Plus) -> Response {
        let prefix = parameter(query, "filter_by_prefix", plus).unwrap_or_default();
        let mut info = info(query, plus);
        info.cache = false; // one channel at a time
        if info.user_count && !prefix.starts_with("presence-") {
            return error(400, NO_PRESENCE); // R13
        }
        // Where users are asked for, presence channels are all there is.
        let fitting = self.fitting(app, "presence-", info);
        let mut out = b"{\"channels\":{".to_vec();
        let start = out.len();
        for shard in (0..self.endpoint.shards()).map(ShardId) {
            let mut next = Some(Cursor::default());
            while let Some(from) = next {
                let (listed, rest) = self.list(shard, app, &prefix, from).await;
                for Listed { name, state } in listed {
                    if out.len() > start {
                        out.push(b',');
                    }
                    quote(&name, &mut out);
                    out.extend_from_slice(b":{");
                    attributes::write(fitting, state, None, &mut out);
                    out.push(b'}');
                }
                next = rest;
                if next.is_some() {
                    look_around().await; // this shard answers itself on the spot
                }
            }
        }
        out.extend_from_slice(b"}}");
        Response::json(200, out)
    }

    pub(super) async fn get_channel(
        &self,
        app: AppSlot,
        name: &str,
        query: &str,
        plus: Plus,
    ) -> Response {
        let Ok(kind) = self.kind_of(app, name) else {
            return error(400, "The channel name is not allowed");
        };
        let info = info(query, plus);
        if info.user_count && !kind.is_presence() {
            return error(400, NO_PRESENCE);
        }
        if info.cache && !kind.is_cache() {
            return error(400, "cache may only be requested for cache channels");
        }
        let fitting = self.fitting(app, name, info);
        let (state, cached) = self.state_of(app, name, fitting.cache).await;
        let mut out = b"{\"occupied\":".to_vec();
        let occupied = state.subscriptions > 0;
        out.extend_from_slice(if occupied { b"true" } else { b"false" });
        if fitting.any() {
            out.push(b',');
            attributes::write(fitting, state, cached.as_ref(), &mut out);
        }
        out.push(b'}');
        Response::json(200, out)
    }

    /// How many connections an app has, with or without a channel, as Reverb tells.
    pub(super) async fn get_connections(&self, app: AppSlot) -> Response {
        let mut connections = 0;
        for shard in (0..self.endpoint.shards()).map(ShardId) {
            connections += match self.ask(shard, Question::Connections(app)).await {
                Answer::Connections(count) => u64::from(count),
                other => unreachable!("a shard answers what it was asked, not {other:?}"),
            };
        }
        let mut out = b"{\"connections\":".to_vec();
        write_integer(connections, &mut out);
        out.push(b'}');
        Response::json(200, out)
    }

    pub(super) async fn list(
        &self,
        shard: ShardId,
        app: AppSlot,
        prefix: &str,
        from: Cursor,
    ) -> (Vec<Listed>, Option<Cursor>) {
        let prefix = prefix.into();
        match self
            .ask(shard, Question::Channels { app, prefix, from })
            .await
        {
            Answer::Channels { listed, next } => (listed, next),
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        }
    }
}

fn info(query: &str, plus: Plus) -> Attributes {
    parameter(query, "info", plus)
        .map(|list| Attributes::parse(&list))
        .unwrap_or_default()
}
