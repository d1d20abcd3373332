// Presence channels with pusher-js: who is here, who joins, who leaves, over both shards.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { Journal, within } from '../support/deadline.js';
import { unique } from '../support/target.js';

const as = (userId, info) => ({
  member: info === undefined ? { user_id: userId } : { user_id: userId, user_info: info },
});

/** User ids of the channel as the REST API tells them, sorted. */
async function users(name) {
  const { users: list } = await answer(backend().get({ path: `/channels/${name}/users` }));
  return list.map(({ id }) => id).sort();
}

test('the snapshot holds everybody, the newcomer too, from both shards', async (t) => {
  const ada = await openOn(t, 0, as('ada', { name: 'Ada', langs: ['fr', 'en'] }));
  const zoe = await openOn(t, 1, as('zoë-1'.replace('ë', 'e'), { name: 'Zoë ☃ \u{1F680}' }));
  const bare = await openOn(t, 0, as('bare'));
  const name = unique('presence-room');

  for (const client of [ada, zoe, bare]) await client.subscribe(name);

  const sizes = [ada, zoe, bare].map((client) => {
    const frame = client.frames.all.find(
      ({ channel, event }) => channel === name && /subscription_succeeded$/.test(event),
    );
    return frame.data.presence;
  });
  assert.deepEqual(sizes[0], {
    count: 1,
    ids: ['ada'],
    hash: { ada: { name: 'Ada', langs: ['fr', 'en'] } },
  });
  // P1: count, ids and hash agree; null stands for a member without user_info (P7).
  assert.equal(sizes[2].count, 3);
  assert.deepEqual([...sizes[2].ids].sort(), ['ada', 'bare', 'zoe-1']);
  assert.deepEqual(sizes[2].hash, {
    ada: { name: 'Ada', langs: ['fr', 'en'] },
    'zoe-1': { name: 'Zoë ☃ \u{1F680}' },
    bare: null,
  });
  const { members } = bare.pusher.channel(name);
  assert.deepEqual(members.me, { id: 'bare', info: null });
});

test('joining and leaving is told to the others on both shards, with the user info', async (t) => {
  const watchers = await openOnEach(t, (shard) => as(`watcher-${shard}`));
  const name = unique('presence-room');
  const told = [];
  for (const watcher of watchers) {
    const channel = await watcher.subscribe(name);
    const journal = new Journal(`watcher on shard ${watcher.shard}`);
    channel.bind('pusher:member_added', (member) => journal.add({ added: member }));
    channel.bind('pusher:member_removed', (member) => journal.add({ removed: member }));
    told.push({ journal, channel });
  }
  await watchers[0].memberChange(name, 'member_added', 'watcher-1');

  const guest = await open(t, as('guest', { name: 'Max' }));
  await guest.subscribe(name);
  for (const watcher of watchers) {
    const frame = await watcher.memberChange(name, 'member_added', 'guest');
    assert.deepEqual(frame.data, { user_id: 'guest', user_info: { name: 'Max' } });
  }
  for (const { channel } of told) assert.equal(channel.members.count, 3);

  guest.pusher.unsubscribe(name);
  for (const watcher of watchers) {
    const frame = await watcher.memberChange(name, 'member_removed', 'guest');
    assert.deepEqual(frame.data, { user_id: 'guest' });
  }
  for (const { journal, channel } of told) {
    const guestOnly = journal.all.filter((entry) => (entry.added ?? entry.removed).id === 'guest');
    assert.deepEqual(guestOnly, [
      { added: { id: 'guest', info: { name: 'Max' } } },
      { removed: { id: 'guest', info: { name: 'Max' } } },
    ]);
    assert.equal(channel.members.count, 2);
  }
  // P3: nobody is told about himself.
  assert.deepEqual(guest.membersChanged(name, 'member_added'), []);
  assert.deepEqual(watchers[0].membersChanged(name, 'member_added'), ['watcher-1', 'guest']);
  assert.deepEqual(watchers[1].membersChanged(name, 'member_added'), ['guest']);
});

test('a member without user_info is announced without the key (P7)', async (t) => {
  const watcher = await open(t, as('watcher'));
  const bare = await open(t, as('bare'));
  const name = unique('presence-room');
  await watcher.subscribe(name);
  await bare.subscribe(name);
  const { data } = await watcher.memberChange(name, 'member_added', 'bare');
  assert.deepEqual(data, { user_id: 'bare' });
});

test('a numeric user id becomes text (P6)', async (t) => {
  const watcher = await openOn(t, 0, as('watcher'));
  const seven = await openOn(t, 1, as(7, { n: 1 }));
  const name = unique('presence-room');
  await watcher.subscribe(name);
  const channel = await seven.subscribe(name);
  const { data } = await watcher.memberChange(name, 'member_added', '7');
  assert.deepEqual(data, { user_id: '7', user_info: { n: 1 } });
  assert.deepEqual(channel.members.me, { id: 7, info: { n: 1 } });
  assert.deepEqual(await users(name), ['7', 'watcher']);
});

test('one user with connections on two shards joins once and leaves once (P2)', async (t) => {
  const watchers = await openOnEach(t, (shard) => as(`watcher-${shard}`));
  const user = { name: 'Ada' };
  const first = await openOn(t, 0, as('ada', user));
  const second = await openOn(t, 1, as('ada', user));
  const marker = await open(t, as('marker'));
  const name = unique('presence-room');
  for (const watcher of watchers) await watcher.subscribe(name);

  await first.subscribe(name);
  await second.subscribe(name);
  await marker.subscribe(name);
  for (const watcher of watchers) await watcher.memberChange(name, 'member_added', 'marker');
  assert.deepEqual(watchers[0].membersChanged(name, 'member_added'), [
    'watcher-1',
    'ada',
    'marker',
  ]);
  assert.deepEqual(watchers[1].membersChanged(name, 'member_added'), ['ada', 'marker']);
  // P3: neither connection of the user hears of the user.
  for (const client of [first, second]) {
    await client.memberChange(name, 'member_added', 'marker');
    assert.deepEqual(client.membersChanged(name, 'member_added'), ['marker']);
    assert.equal(client.pusher.channel(name).members.count, 4);
  }
  assert.deepEqual(await users(name), ['ada', 'marker', 'watcher-0', 'watcher-1']);

  // The first connection leaves and comes back as somebody else, which everybody is told after it.
  first.pusher.unsubscribe(name);
  first.member = { user_id: 'eve' };
  await first.subscribe(name);
  for (const client of [...watchers, second]) {
    await client.memberChange(name, 'member_added', 'eve');
    assert.deepEqual(client.membersChanged(name, 'member_removed'), []);
  }
  assert.deepEqual(await users(name), ['ada', 'eve', 'marker', 'watcher-0', 'watcher-1']);

  second.close();
  for (const watcher of watchers) await watcher.memberChange(name, 'member_removed', 'ada');
  marker.close();
  for (const watcher of watchers) {
    await watcher.memberChange(name, 'member_removed', 'marker');
    assert.deepEqual(watcher.membersChanged(name, 'member_removed'), ['ada', 'marker']);
    assert.equal(watcher.pusher.channel(name).members.count, 3);
  }
  assert.deepEqual(await users(name), ['eve', 'watcher-0', 'watcher-1']);
});

test('joins and leaves of one user on both shards at the same instant stay exact', async (t) => {
  const rounds = 50;
  const watchers = await openOnEach(t, (shard) => as(`watcher-${shard}`));
  const pair = await openOnEach(t, () => as('ada'));
  const name = unique('presence-room');
  for (const watcher of watchers) await watcher.subscribe(name);
  const seen = (watcher, change, count) =>
    watcher.frames.reach(
      count,
      ({ channel, event, data }) =>
        channel === name && event === `pusher_internal:${change}` && data.user_id === 'ada',
      `${change} ${count}`,
    );

  for (let round = 1; round <= rounds; round += 1) {
    await Promise.all(pair.map((client) => client.subscribe(name)));
    for (const watcher of watchers) await seen(watcher, 'member_added', round);
    for (const client of pair) client.pusher.unsubscribe(name);
    for (const watcher of watchers) await seen(watcher, 'member_removed', round);
  }

  const marker = await open(t, as('marker'));
  await marker.subscribe(name);
  for (const watcher of watchers) {
    await watcher.memberChange(name, 'member_added', 'marker');
    const changes = watcher.frames.all
      .filter(({ channel, data }) => channel === name && data.user_id === 'ada')
      .map(({ event }) => event.replace('pusher_internal:member_', ''));
    assert.deepEqual(
      changes,
      Array.from({ length: 2 * rounds }, (_, n) => (n % 2 === 0 ? 'added' : 'removed')),
    );
    assert.equal(watcher.pusher.channel(name).members.count, 3);
  }
});

test('many members join at the same time and everybody ends with the same list', async (t) => {
  const name = unique('presence-room');
  const crowd = [];
  for (let n = 0; n < 40; n += 1) crowd.push(await open(t, as(`user-${n}`)));
  assert.deepEqual([...new Set(crowd.map(({ shard }) => shard))].sort(), [0, 1]);
  await Promise.all(crowd.map((client) => client.subscribe(name)));
  const last = await open(t, as('last'));
  await last.subscribe(name);

  const everybody = Object.keys(last.pusher.channel(name).members.members).sort();
  assert.equal(everybody.length, 41);
  for (const client of crowd) {
    await client.memberChange(name, 'member_added', 'last');
    const { members } = client.pusher.channel(name);
    assert.equal(members.count, 41);
    assert.deepEqual(Object.keys(members.members).sort(), everybody);
    // P4: each of the others was in the snapshot or announced, never both, never twice.
    const snapshot = (await client.frame(name, 'pusher_internal:subscription_succeeded')).data;
    const known = [...snapshot.presence.ids, ...client.membersChanged(name, 'member_added')];
    assert.deepEqual(known.sort(), everybody);
  }
});

test('a client whose process is killed leaves the channel', async (t) => {
  const watchers = await openOnEach(t, (shard) => as(`watcher-${shard}`));
  const name = unique('presence-room');
  for (const watcher of watchers) await watcher.subscribe(name);

  const script = new URL('../support/member.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, name, 'mayfly'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const said = new Promise((resolve) => child.stdout.once('data', (chunk) => resolve(`${chunk}`)));
  assert.match(await within(said, 'the child joined'), /^joined on shard [01]\n$/);
  for (const watcher of watchers) await watcher.memberChange(name, 'member_added', 'mayfly');

  child.kill('SIGKILL');
  for (const watcher of watchers) await watcher.memberChange(name, 'member_removed', 'mayfly');
  assert.deepEqual(await users(name), ['watcher-0', 'watcher-1']);
});

test('a newer connection of a member replaces the user info, silently (P5)', async (t) => {
  const watcher = await openOn(t, 0, as('watcher'));
  const old = await openOn(t, 0, as('ada', { tab: 'old' }));
  const young = await openOn(t, 1, as('ada', { tab: 'new' }));
  const late = await open(t, as('late'));
  const name = unique('presence-room');
  for (const client of [watcher, old, young, late]) await client.subscribe(name);

  assert.deepEqual(late.pusher.channel(name).members.get('ada').info, { tab: 'new' });
  await watcher.memberChange(name, 'member_added', 'late');
  assert.deepEqual(watcher.membersChanged(name, 'member_added'), ['ada', 'late']);
});

test('100 members fit, the 101st is refused, a further connection of a member is not', async (t) => {
  const name = unique('presence-full');
  const crowd = await Promise.all(
    Array.from({ length: 101 }, (_, n) => open(t, as(`user-${n}`))),
  );
  const outsider = crowd.pop();
  await Promise.all(crowd.map((client) => client.subscribe(name)));

  const error = await outsider.refused(name);
  assert.equal(error.type, 'LimitReached');
  assert.equal(error.status, 4100);

  const twin = await open(t, as('user-0'));
  await twin.subscribe(name);
  assert.equal(twin.pusher.channel(name).members.count, 100);
  assert.equal((await users(name)).length, 100);
});

const refusedMembers = {
  'an empty user id': { user_id: '' },
  'no user id': { user_info: { name: 'Nobody' } },
  'a boolean user id': { user_id: true },
  'a list as user id': { user_id: ['ada'] },
  'text as user info': { user_id: 'ada', user_info: 'Ada' },
  'a list as user info': { user_id: 'ada', user_info: ['Ada'] },
};

for (const [kind, member] of Object.entries(refusedMembers)) {
  test(`a member is refused although rightly signed: ${kind}`, async (t) => {
    const client = await open(t, { member });
    const error = await client.refused(unique('presence-room'));
    assert.equal(error.type, 'InvalidMember');
    assert.equal(error.status, 4009);
    assert.equal(client.state, 'connected');
  });
}

test('a user id of 128 characters is accepted, of 129 it is refused', async (t) => {
  const tooLong = await open(t, as('x'.repeat(129)));
  assert.equal((await tooLong.refused(unique('presence-room'))).type, 'LimitReached');

  const id = 'x'.repeat(128);
  const client = await open(t, as(id));
  const name = unique('presence-room');
  const channel = await client.subscribe(name);
  assert.equal(channel.members.me.id, id);
  assert.deepEqual(await users(name), [id]);
});
