//! What a shard does for server handles.

use super::endpoint::{Endpoint, Local};
use super::server_handle::ServerHandle;
use crate::crossing::{Call, Census, HubMeasured, Measured, OfApps, ToShard};
use crate::id::{ClientId, ShardId};
use crate::net;
use crate::ws::Frame;
use std::iter;

impl Endpoint {
    /// A handle on the server for other threads and for tokio code; it does what it is asked for
    /// by way of this shard. Until all routes are mounted it knows none of them.
    #[must_use]
    pub fn server(&self) -> ServerHandle {
        self.local().server.by_way_of(self.shard())
    }
}

impl Local {
    /// A client of this shard is gone: its `on_close` is over.
    pub(super) fn forget(&self, client: ClientId) {
        self.forgets.forget(client);
        self.tables.forget(client);
    }

    /// Does what a handle has asked for. `routes` is how many handlers are mounted, and `hub`
    /// gives what the Pusher application has counted of some apps.
    pub(crate) fn serve(
        &self,
        call: Call,
        routes: usize,
        hub: impl FnOnce(&OfApps) -> HubMeasured,
    ) {
        match call {
            Call::Broadcast { route, frame } => {
                for shard in (0..self.shards).map(ShardId).filter(|it| *it != self.shard) {
                    let broadcast = ToShard::Broadcast {
                        route,
                        frame: frame.clone(),
                        except: Box::default(),
                    };
                    self.mesh.send(shard, broadcast);
                }
                let here = self.sockets.clients(Some(route)).into_iter();
                self.sockets.push_all(here, &Frame::shared(frame));
            }
            Call::Send { client, frame } if client.shard() == self.shard => {
                // As from another shard: nobody is left who could be told.
                self.sockets
                    .push_all(iter::once(client), &Frame::shared(frame));
            }
            Call::Send { client, frame } => {
                self.mesh
                    .send(client.shard(), ToShard::Send { client, frame });
            }
            Call::Close {
                client,
                code,
                reason,
            } if client.shard() == self.shard => self.sockets.close(client, code, &reason),
            Call::Close {
                client,
                code,
                reason,
            } => {
                let close = ToShard::Close {
                    client,
                    code,
                    reason,
                };
                self.mesh.send(client.shard(), close);
            }
            // Who has asked may have given up since.
            Call::Count(answer) => drop(answer.try_send(self.census(routes))),
            Call::Measure { apps, answer } => {
                let measured = Measured {
                    census: self.census(routes),
                    at: self.sockets.clock().since_start(),
                    mesh_waiting: self.mesh.waiting(),
                    running: net::running(),
                    busy: net::busy(),
                    totals: self.sockets.counters().totals(),
                    routes: self.server.route_names(),
                    hub: hub(&apps),
                };
                drop(answer.try_send(measured));
            }
            // The shard has given them to its Pusher application, if it has one.
            Call::Inquire(_) | Call::Follow(_) => {}
        }
    }

    fn census(&self, routes: usize) -> Census {
        let counted = self.sockets.census(routes);
        Census {
            shard: self.shard.0,
            connections: counted.connections,
            clients: counted.clients,
            waiting_bytes: counted.waiting_bytes,
            tasks: self.spawned.len(),
            rows: self.tables.counts(),
        }
    }
}
