//! The bounded queues between the control thread and the shards. Both ends may wait in the
//! runtime they live in: the queue needs no reactor.

use crate::crossing::{ToControl, ToShard};
use crate::id::ShardId;

/// The control thread's ends.
#[derive(Debug)]
pub struct Bridge {
    orders: Vec<flume::Sender<ToShard>>,
    reports: flume::Receiver<ToControl>,
}

/// Orders that may wait for a shard; it takes them as soon as it runs.
const ORDERS_MAX: usize = 8;

/// Makes the bridge: the control thread's ends, each shard's orders, and where reports go.
#[must_use]
pub fn bridge(
    shards: usize,
) -> (
    Bridge,
    Vec<flume::Receiver<ToShard>>,
    flume::Sender<ToControl>,
) {
    let (senders, receivers) = (0..shards).map(|_| flume::bounded(ORDERS_MAX)).unzip();
    // Each shard reports three times; the rest is for handles that ask to stop, again and again.
    let (report, reports) = flume::bounded(3 * shards + ORDERS_MAX);
    (
        Bridge {
            orders: senders,
            reports,
        },
        receivers,
        report,
    )
}

impl Bridge {
    /// Where each shard takes its orders from.
    pub(super) fn orders(&self) -> Vec<flume::Sender<ToShard>> {
        self.orders.clone()
    }

    /// How many shards there are.
    pub(super) fn shards(&self) -> usize {
        self.orders.len()
    }

    /// Orders every shard to stop. One that has ended already does not hear it.
    pub(super) fn stop_all(&self) {
        self.order_all(|| ToShard::Stop);
    }

    /// Orders every shard, all of which have stopped, to end.
    pub(super) fn end_all(&self) {
        self.order_all(|| ToShard::End);
    }

    fn order_all(&self, order: impl Fn() -> ToShard) {
        for (shard, orders) in self.orders.iter().enumerate() {
            if orders.try_send(order()).is_err() {
                let shard = ShardId(shard as u16);
                tracing::debug!(%shard, "has ended, or was told so before");
            }
        }
    }

    /// The next report; `None` when nobody is left to report.
    pub(super) async fn report(&self) -> Option<ToControl> {
        self.reports.recv_async().await.ok()
    }
}
