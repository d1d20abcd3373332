// npm `pusher`: channels, channel info and users, over connections on both shards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend, refusal } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { becomes } from '../support/deadline.js';
import { quietApp, unique } from '../support/target.js';

const get = (path, params, sdk = backend()) => sdk.get({ path, params });

test('the occupied channels are listed, whichever shard their subscribers are on', async (t) => {
  const clients = await openOnEach(t);
  const prefix = unique('list');
  const names = ['a', 'b', 'c', 'd'].map((letter) => `${prefix}-${letter}`);
  await clients[0].subscribe(names[0]);
  await clients[1].subscribe(names[1]);
  for (const client of clients) await client.subscribe(names[2]);

  const { channels } = await answer(get('/channels', { filter_by_prefix: prefix }));
  assert.deepEqual(channels, { [names[0]]: {}, [names[1]]: {}, [names[2]]: {} });
  const all = (await answer(get('/channels'))).channels;
  for (const name of names.slice(0, 3)) assert.deepEqual(all[name], {});
  assert.equal(names[3] in all, false);

  // Several requests, so that both shards answer.
  for (let n = 0; n < 16; n += 1) {
    const again = await answer(get('/channels', { filter_by_prefix: prefix }));
    assert.deepEqual(again.channels, channels);
  }
});

test('a channel vanishes from the list with its last subscriber (S11)', async (t) => {
  const [first, second] = await openOnEach(t);
  const name = unique('list');
  await first.subscribe(name);
  await second.subscribe(name);
  const listed = async () => (await answer(get('/channels', { filter_by_prefix: name }))).channels;

  first.pusher.unsubscribe(name);
  await first.settled();
  assert.deepEqual(await listed(), { [name]: {} });
  second.pusher.unsubscribe(name);
  await becomes(listed, {});

  await first.subscribe(name);
  assert.deepEqual(await listed(), { [name]: {} });
  first.close();
  await becomes(listed, {});
});

test('no channel at all is an empty object (R14)', async () => {
  const { channels } = await answer(get('/channels', { filter_by_prefix: unique('nothing') }));
  assert.deepEqual(channels, {});
});

test('presence channels are listed with distinct users', async (t) => {
  const tabs = await openOnEach(t, () => ({ member: { user_id: 'ada' } }));
  const max = await openOn(t, 1, { member: { user_id: 'max' } });
  const prefix = unique('presence-list');
  for (const client of tabs) await client.subscribe(`${prefix}-a`);
  await max.subscribe(`${prefix}-a`);
  await max.subscribe(`${prefix}-b`);

  const request = get('/channels', { filter_by_prefix: prefix, info: 'user_count' });
  assert.deepEqual(await answer(request), {
    channels: { [`${prefix}-a`]: { user_count: 2 }, [`${prefix}-b`]: { user_count: 1 } },
  });
});

test('user_count without a presence prefix is refused with 400 (R13)', async () => {
  const asked = [{ info: 'user_count' }, { info: 'user_count', filter_by_prefix: 'private-' }];
  for (const params of asked) {
    assert.equal((await refusal(get('/channels', params))).status, 400, JSON.stringify(params));
  }
});

test('one channel: occupied or not, with its users', async (t) => {
  const clients = await openOnEach(t, (shard) => ({ member: { user_id: `u-${shard}` } }));
  const room = unique('presence-room');
  const news = unique('news');
  for (const client of clients) await client.subscribe(room);
  await clients[1].subscribe(news);

  const channel = (name, params) => answer(get(`/channels/${name}`, params));
  assert.deepEqual(await channel(room, { info: 'user_count' }), { occupied: true, user_count: 2 });
  assert.deepEqual(await channel(room), { occupied: true });
  assert.deepEqual(await channel(news), { occupied: true });
  assert.deepEqual(await channel(unique('nothing')), { occupied: false });
  const nobody = await channel(unique('presence-nobody'), { info: 'user_count' });
  assert.deepEqual(nobody, { occupied: false, user_count: 0 });

  const refused = await refusal(get(`/channels/${news}`, { info: 'user_count' }));
  assert.equal(refused.status, 400);
});

test('the users of a presence channel, each once, ids as text', async (t) => {
  const tabs = await openOnEach(t, () => ({ member: { user_id: 'ada', user_info: { a: 1 } } }));
  const seven = await openOn(t, 0, { member: { user_id: 7 } });
  const room = unique('presence-room');
  for (const client of [...tabs, seven]) await client.subscribe(room);

  for (let n = 0; n < 16; n += 1) {
    const { users } = await answer(get(`/channels/${room}/users`));
    users.sort((a, b) => a.id.localeCompare(b.id));
    assert.deepEqual(users, [{ id: '7' }, { id: 'ada' }]);
  }

  tabs[0].pusher.unsubscribe(room);
  seven.pusher.unsubscribe(room);
  await becomes(() => answer(get(`/channels/${room}/users`)), { users: [{ id: 'ada' }] });
});

test('users of an empty presence channel are none, of another channel an error (8.7)', async (t) => {
  const client = await open(t);
  const orders = unique('private-orders');
  await client.subscribe(orders);
  assert.deepEqual(await answer(get(`/channels/${unique('presence-nobody')}/users`)), { users: [] });
  assert.equal((await refusal(get(`/channels/${orders}/users`))).status, 400);
  assert.equal((await refusal(get(`/channels/${unique('news')}/users`))).status, 400);
});

test('odd but allowed characters in a channel path', async (t) => {
  const client = await open(t, { member: { user_id: 'ada' } });
  const room = `${unique('presence-a=b@c')},d.e;f_G-9`;
  await client.subscribe(room);
  const params = { info: 'user_count' };
  assert.deepEqual(await answer(get(`/channels/${room}`, params)), {
    occupied: true,
    user_count: 1,
  });
  assert.deepEqual(await answer(get(`/channels/${room}/users`)), { users: [{ id: 'ada' }] });
});

test('an application sees its own channels only', async (t) => {
  const client = await open(t);
  const name = unique('list');
  await client.subscribe(name);
  const quiet = backend(quietApp);
  assert.deepEqual(await answer(get('/channels', { filter_by_prefix: name }, quiet)), {
    channels: {},
  });
  assert.deepEqual(await answer(get(`/channels/${name}`, {}, quiet)), { occupied: false });
});
