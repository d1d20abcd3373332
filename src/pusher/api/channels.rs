//! `GET /apps/ID/channels` and `/channels/NAME` (sections 8.5 and 8.6).

use super::events::write_attributes;
use super::route::{error, parameter};
use crate::http::Response;
use crate::hub::{Answer, Listed, Question};
use crate::id::{AppSlot, ShardId};
use crate::protocol::json::quote;
use crate::protocol::publish::Attributes;
use crate::pusher::Pusher;

impl Pusher {
    pub(super) async fn get_channels(&self, app: AppSlot, query: &str) -> Response {
        let prefix = parameter(query, "filter_by_prefix").unwrap_or_default();
        let info = info(query);
        if info.user_count && !prefix.starts_with("presence-") {
            // R13
            return error(
                400,
                "user_count may only be requested for presence channels",
            );
        }
        let mut out = b"{\"channels\":{".to_vec();
        let mut first = true;
        for shard in (0..self.endpoint.shards()).map(ShardId) {
            for Listed { name, state } in self.list(shard, app, &prefix).await {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                quote(&name, &mut out);
                out.push(b':');
                write_attributes(&name, info, state, &mut out);
            }
        }
        out.extend_from_slice(b"}}");
        Response::json(200, out)
    }

    pub(super) async fn get_channel(&self, app: AppSlot, name: &str, query: &str) -> Response {
        let Ok(kind) = self.kind_of(app, name) else {
            return error(400, "The channel name is not allowed");
        };
        let info = info(query);
        if info.user_count && !kind.is_presence() {
            return error(
                400,
                "user_count may only be requested for presence channels",
            );
        }
        let state = self.state_of(app, name).await;
        let mut attributes = Vec::new();
        write_attributes(name, info, state, &mut attributes);
        let mut out = b"{\"occupied\":".to_vec();
        out.extend_from_slice(if state.subscriptions > 0 {
            b"true"
        } else {
            b"false"
        });
        if attributes.len() > 2 {
            out.push(b',');
            out.extend_from_slice(&attributes[1..attributes.len() - 1]);
        }
        out.push(b'}');
        Response::json(200, out)
    }

    async fn list(&self, shard: ShardId, app: AppSlot, prefix: &str) -> Vec<Listed> {
        let question = Question::Channels {
            app,
            prefix: prefix.into(),
        };
        match self.ask(shard, question).await {
            Answer::Channels(channels) => channels,
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        }
    }
}

fn info(query: &str) -> Attributes {
    parameter(query, "info")
        .map(|list| Attributes::parse(&list))
        .unwrap_or_default()
}
