//! A presence channel at its home: members come, go, and are listed.
//!
//! The home is driven by the notes that another shard would send it.

use super::shards::{APP, KEY, SECRET};
use super::{Amount, Subject};
use shardcast::app::App;
use shardcast::hub::{AppTable, Effect, Hub, Join, Note, Options, Part};
use shardcast::id::{ClientId, ShardId, SocketId};
use shardcast::protocol::auth::Signer;
use shardcast::protocol::command::Subscribe;
use shardcast::protocol::member::Member;
use shardcast::protocol::{Command, event};
use shardcast::ws::frame::TextEncoder;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;

const CHANNEL: &str = "presence-room";
/// Who the members are connected to, and who keeps the channel.
const THERE: ShardId = ShardId(1);

pub fn add(subjects: &mut Vec<Subject>) {
    for members in [10, 500] {
        let turnover = Subject::new(format!("presence/turnover-{members}"), move || {
            turnover(members)
        });
        let listing = Subject::new(format!("presence/listing-{members}"), move || {
            listing(members)
        });
        subjects.extend([turnover, listing.amount(Amount::Elements(members as usize))]);
    }
}

/// The member that has been there longest leaves and comes back: the others are told of both, and
/// it is told who is there.
fn turnover(members: u32) -> impl FnMut() {
    let mut hub = hub(ShardId(0), 1);
    let mut effects = Vec::new();
    let mut joins: VecDeque<Join> = (0..members).map(join).collect();
    for join in &joins {
        hub.receive(THERE, Note::Join(Box::new(copy(join))), &mut effects);
    }
    effects.clear();
    move || {
        joins.rotate_left(1);
        let eldest = &joins[joins.len() - 1];
        hub.receive(THERE, Note::Part(Box::new(part(eldest))), &mut effects);
        hub.receive(THERE, Note::Join(Box::new(copy(eldest))), &mut effects);
        let posted = black_box(effects.drain(..)).count();
        assert_eq!(posted, 3, "gone, there again, and let in");
    }
}

/// The `data` of `pusher_internal:subscription_succeeded`.
fn listing(members: u32) -> impl FnMut() {
    let members: Vec<Member> = (0..members).map(member).collect();
    let mut encoder = TextEncoder::default();
    move || {
        let write =
            |out: &mut Vec<u8>| event::presence_succeeded(CHANNEL, black_box(&members).iter(), out);
        black_box(encoder.encode(write));
    }
}

fn channel_data(number: u32) -> String {
    format!(r#"{{"user_id":"user-{number}","user_info":{{"name":"Member {number}","age":30}}}}"#)
}

fn member(number: u32) -> Member {
    Member::parse(&channel_data(number)).unwrap()
}

fn hub(shard: ShardId, shards: u16) -> Hub {
    let options = Options::new(shard, shards, [1, 2]);
    let mut app = App::new("1001", KEY, SECRET);
    app.presence_members = 10_000;
    Hub::new(options, Rc::new(AppTable::new([app])))
}

/// The note by which the shard of a new member lets its home know.
fn join(number: u32) -> Join {
    let mut hub = hub(THERE, 2);
    let mut effects = Vec::new();
    let client = ClientId::new(THERE, 0, number);
    let socket_id = SocketId::new(THERE, number, number.into());
    hub.open(client, APP, socket_id, false, &mut effects);
    let (id, data) = (socket_id.to_string(), channel_data(number));
    let parts = [
        id.as_bytes(),
        b":",
        CHANNEL.as_bytes(),
        b":",
        data.as_bytes(),
    ];
    let auth = format!("{KEY}:{}", Signer::new(SECRET).sign(&parts));
    let subscribe = Command::Subscribe(Subscribe {
        channel: CHANNEL,
        auth: Some(&auth),
        channel_data: Some(&data),
    });
    hub.command(client, Ok(subscribe), 0, |_| true, &mut effects);
    match effects.pop() {
        Some(Effect::Post {
            note: Note::Join(join),
            ..
        }) => *join,
        other => panic!("a member that may join does: {other:?}"),
    }
}

fn copy(join: &Join) -> Join {
    Join {
        channel: join.channel.clone(),
        kind: join.kind,
        local: join.local,
        count: join.count,
        asker: join.asker,
        member: join.member.clone(),
        again: join.again,
    }
}

fn part(join: &Join) -> Part {
    let member = join.member.as_ref().expect("only members join here");
    Part {
        channel: join.channel.clone(),
        presence: join.asker.expect("members are let in one by one"),
        user_id: member.user_id.clone(),
    }
}
