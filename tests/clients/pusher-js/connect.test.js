// Connecting with pusher-js: the handshake, liveness, reconnecting, and being refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { Client, open, openOn } from '../support/client.js';
import { next } from '../support/deadline.js';
import { app, shards, unique } from '../support/target.js';

test('a client connects and is told its socket id and the activity timeout', async (t) => {
  const hour = 3_600_000;
  const client = await open(t, { activityTimeout: hour });
  assert.deepEqual(client.states.all, ['connected']);
  assert.match(client.socketId, /^\d+\.\d+$/);
  // pusher-js uses the smaller of its own timeout and the server's: 120 s.
  assert.equal(client.pusher.connection.activityTimeout, 120_000);
  assert.deepEqual(client.errors.all, []);
});

test('connections are spread over the shards, each with its own socket id', async (t) => {
  const ids = new Set();
  const reached = new Set();
  let opened = 0;
  while (reached.size < shards && opened < 200) {
    const client = await open(t);
    opened += 1;
    ids.add(client.socketId);
    reached.add(client.shard);
  }
  assert.deepEqual([...reached].sort(), [0, 1], `after ${opened} connections`);
  assert.equal(ids.size, opened);
});

test('an idle client pings and the server answers', async (t) => {
  const client = await open(t, { activityTimeout: 20, pongTimeout: 15_000 });
  // Three pings in a row: each pong starts the next idle period.
  const pongs = await client.frames.reach(3, ({ event }) => event === 'pusher:pong', 'pongs');
  for (const pong of pongs) assert.deepEqual(pong.data, {});
  assert.deepEqual(client.states.all, ['connected']);
});

for (const key of ['no-such-key', app.key.toUpperCase(), `${app.key}x`]) {
  test(`a client with the unknown key ${key} is told 4001 and stays away`, async (t) => {
    const client = new Client({ key });
    t.after(() => client.close());
    const retries = [];
    client.pusher.connection.bind('connecting_in', (seconds) => retries.push(seconds));

    // W20, rule 5: an error frame, then a close in 4000-4099, after which pusher-js gives up.
    const error = await client.errors.first(() => true, 'an error');
    assert.equal(error.error.type, 'PusherError');
    assert.equal(error.error.data.code, 4001);
    assert.match(error.error.data.message, new RegExp(`^App key ${key} not in this cluster`));
    if (client.state !== 'disconnected') await next(client.pusher.connection, 'disconnected');

    assert.deepEqual(client.states.all, ['disconnected']);
    assert.deepEqual(retries, [], 'no retry is planned');
    assert.equal(client.pusher.connection.socket_id, undefined);

    // It is refused in the same way when the application tries again.
    client.pusher.connect();
    await client.states.reach(3);
    assert.deepEqual(client.states.all, ['disconnected', 'connecting', 'disconnected']);
    assert.deepEqual(
      client.errors.all.map((again) => again.error.data.code),
      [4001, 4001],
    );
  });
}

test('after disconnect and connect the subscriptions are back under a new socket id', async (t) => {
  const client = await open(t, { member: { user_id: 'u-1', user_info: { name: 'Ada' } } });
  const names = [unique('news'), unique('private-orders'), unique('presence-room')];
  for (const name of names) await client.subscribe(name);
  const before = client.socketId;

  client.pusher.disconnect();
  assert.equal(client.state, 'disconnected');
  const again = names.map((name) =>
    next(client.pusher.channel(name), 'pusher:subscription_succeeded', `again on ${name}`),
  );
  client.pusher.connect();
  await Promise.all(again);

  assert.notEqual(client.socketId, before);
  await backend().trigger(names, 'back', { here: true });
  for (const name of names) {
    const frame = await client.frame(name, 'back');
    assert.deepEqual(frame.data, { here: true });
  }
  assert.equal(client.pusher.channel(names[2]).members.count, 1);
});

test('what a client sends wrongly is answered with an error and costs nobody anything', async (t) => {
  const [client, neighbour] = [await openOn(t, 0), await openOn(t, 0)];
  const name = unique('news');
  await neighbour.subscribe(name);

  const wrong = [
    '{"event":"pusher:subscribe"}',
    '{"event":"pusher:subscribe","data":{}}',
    '{"event":"pusher:nonsense","data":{}}',
    '{"event":"pusher_internal:member_added","data":"{}"}',
    '{"event":7}',
    'not json',
  ];
  for (const [index, text] of wrong.entries()) {
    client.sendText(text);
    const errors = await client.errors.reach(index + 1, () => true, `an answer to ${text}`);
    const { data } = errors[index];
    assert.equal(data.code, null, text);
    assert.equal(typeof data.message, 'string', text);
  }

  await client.subscribe(name);
  await backend().trigger(name, 'alive', 1);
  await Promise.all([client.frame(name, 'alive'), neighbour.frame(name, 'alive')]);
  assert.deepEqual(client.states.all, ['connected']);
  assert.deepEqual(neighbour.errors.all, []);
});
