//! One hop over the mesh: sent, made visible at the turn's end, taken by the other shard.
//!
//! Both shards are on this thread, so this is the price of the code; what two cores pay each other
//! for a line of memory comes on top.

use super::{Amount, Subject};
use shardcast::crossing::ToShard;
use shardcast::hub::{Deliver, LocalRef, Note};
use shardcast::id::ShardId;
use shardcast::mesh::mesh;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

pub fn add(subjects: &mut Vec<Subject>) {
    subjects.extend([1, 32].map(|count| {
        let subject = Subject::new(format!("mesh/hop-of-{count}"), move || hop(count));
        subject.amount(Amount::Elements(count))
    }));
}

fn hop(count: usize) -> impl FnMut() {
    let mut ports = mesh(2, 1024)
        .into_iter()
        .map(|port| port.share(Rc::default()));
    let (here, there) = (ports.next().unwrap(), ports.next().unwrap());
    let frame: Arc<[u8]> = Arc::from([b'x'; 100]);
    let mut inbox = Vec::new();
    move || {
        for _ in 0..count {
            let deliver = Deliver {
                local: LocalRef {
                    slot: 0,
                    generation: 0,
                },
                frame: Arc::clone(&frame),
                except: None,
                stamp: None,
            };
            here.send(ShardId(1), ToShard::Hub(Note::Deliver(deliver)));
        }
        here.end_turn();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(there.poll_receive(&mut cx, 256, &mut inbox).is_ready());
        assert_eq!(black_box(inbox.drain(..)).count(), count);
    }
}
