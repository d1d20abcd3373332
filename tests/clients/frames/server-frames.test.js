// Every kind of frame the server sends, provoked on the real server by pusher-js: it is the frame of
// tests/vectors.json, and pusher-js makes of it what an application waits for.
//
// Compared are JSON values (W2); `data` that is a string in the vector must be one in the frame.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { answer, authorise, backend } from '../support/backend.js';
import { becomes, next } from '../support/deadline.js';
import { openRaw } from '../support/raw.js';

const vectors = JSON.parse(readFileSync(new URL('../../vectors.json', import.meta.url), 'utf8'));
const expected = { ...vectors.server_frames };

/** The server keeps connections alive with control pings; only clients send this event (Q34). */
const NEVER_SENT = ['ping'];
const replayed = new Set(NEVER_SENT);
const received = [];

const credentials = (name) => {
  const { id: appId, key, secret } = vectors.apps[name];
  return { appId, key, secret };
};
const app = credentials('t1');
const sdk = backend(app);

const named = (id, info) => ({ user_id: id, ...(info ? { user_info: info } : {}) });

/** A client of application `t1` whose frames are kept as text. */
async function open(t, options) {
  const opened = await openRaw(t, { credentials: app, ...options });
  received.push(opened.texts);
  return opened;
}

/** The frame with `data` decoded, and whether it was text. */
function decoded(frame) {
  const { data, ...rest } = frame;
  return { ...rest, text: typeof data === 'string', data: text(data) };
}

function text(data) {
  return typeof data === 'string' ? JSON.parse(data) : data;
}

/** Waits for the first frame of the vector's event and channel; `adapt` levels what is never equal. */
async function replay(name, texts, adapt = () => {}) {
  const vector = JSON.parse(expected[name]);
  const matches = (line) => {
    const frame = JSON.parse(line);
    return frame.event === vector.event && (frame.channel ?? null) === (vector.channel ?? null);
  };
  const line = await texts.first(matches, vector.event);
  const [ours, theirs] = [decoded(JSON.parse(line)), decoded(vector)];
  adapt(ours, theirs);
  assert.deepEqual(ours, theirs, name);
  replayed.add(name);
  return ours;
}

test('connection_established', async (t) => {
  const { client, texts } = await open(t);
  await replay('connection_established', texts, (ours, theirs) => {
    assert.match(ours.data.socket_id, /^\d+\.\d+$/);
    assert.equal(client.socketId, ours.data.socket_id);
    ours.data.socket_id = theirs.data.socket_id;
  });
});

test('pong', async (t) => {
  const { client, texts } = await open(t);
  const pong = next(client.pusher.connection, 'message');
  client.pusher.connection.send_event('pusher:ping', {});
  await replay('pong', texts);
  assert.equal((await pong).event, 'pusher:pong');
});

test('subscription_succeeded and event', async (t) => {
  const { client, texts } = await open(t);
  const channel = client.pusher.subscribe('my-channel');
  assert.deepEqual(await next(channel, 'pusher:subscription_succeeded'), {});
  await replay('subscription_succeeded', texts);
  const heard = next(channel, 'my-event');
  await sdk.trigger('my-channel', 'my-event', { message: 'hello' });
  assert.deepEqual(await heard, { message: 'hello' });
  await replay('event', texts);
});

test('subscription_succeeded_presence', async (t) => {
  const first = await open(t, { member: named('u-1', { name: 'Zoë' }) });
  await first.client.subscribe('presence-room');
  const { client, texts } = await open(t, { member: named('u-2') });
  const { members } = await client.subscribe('presence-room');
  assert.equal(members.count, 2);
  assert.deepEqual(members.members, { 'u-1': { name: 'Zoë' }, 'u-2': null });
  assert.deepEqual(members.me, { id: 'u-2', info: null });
  await replay('subscription_succeeded_presence', texts);
  // Nobody may be left for the next test.
  for (const each of [first.client, client]) each.pusher.unsubscribe('presence-room');
  const users = () => answer(sdk.get({ path: '/channels/presence-room/users' }));
  await becomes(users, { users: [] });
});

test('member_added, client_event_presence and member_removed', async (t) => {
  const { client, texts } = await open(t, { member: named('u-1', { name: 'Zoë' }) });
  const channel = await client.subscribe('presence-room');
  const added = next(channel, 'pusher:member_added');
  const second = await open(t, { member: named('u-2', { name: 'Max' }) });
  const room = await second.client.subscribe('presence-room');
  assert.deepEqual(await added, { id: 'u-2', info: { name: 'Max' } });
  await replay('member_added', texts);

  const heard = new Promise((resolve) => {
    room.bind('client-a', (data, metadata) => resolve({ data, metadata }));
  });
  channel.trigger('client-a', { x: 1 });
  assert.deepEqual(await heard, { data: { x: 1 }, metadata: { user_id: 'u-1' } });
  await replay('client_event_presence', second.texts);

  const removed = next(channel, 'pusher:member_removed');
  second.client.close();
  assert.deepEqual(await removed, { id: 'u-2', info: { name: 'Max' } });
  await replay('member_removed', texts);
});

test('subscription_error', async (t) => {
  const wrong = { credentials: { ...app, secret: 'wrong' } };
  const { client, texts } = await open(t, { authorisation: (asked) => authorise(asked, wrong) });
  const error = await client.refused('private-x');
  assert.deepEqual(error, {
    type: 'AuthError',
    error: 'The connection is unauthorized.',
    status: 401,
  });
  await replay('subscription_error', texts);
});

test('error', async (t) => {
  const { client, texts } = await open(t);
  await client.subscribe('my-channel');
  client.sendText('{"event":"client-a","channel":"my-channel","data":{}}');
  const { data } = await client.errors.first(() => true, 'an error');
  assert.equal(data.code, 4301);
  // W18: a refused client event names its channel. The message tells the cause, which varies.
  expected.error = JSON.stringify({ ...JSON.parse(expected.error), channel: 'my-channel' });
  await replay('error', texts, (ours, theirs) => {
    assert.equal(typeof ours.data.message, 'string');
    assert.notEqual(ours.data.message, '');
    ours.data.message = theirs.data.message;
  });
});

test('cache_miss', async (t) => {
  const { client, texts } = await open(t);
  const channel = client.pusher.subscribe('cache-a');
  assert.deepEqual(await next(channel, 'pusher:cache_miss'), {});
  await replay('cache_miss', texts);
});

test('subscription_count', async (t) => {
  const { client, texts } = await open(t);
  const channel = await client.subscribe('my-channel');
  const counted = new Promise((resolve) => {
    channel.bind('pusher:subscription_count', ({ subscription_count: count }) => {
      if (count === 3) resolve(channel.subscriptionCount);
    });
  });
  for (let n = 0; n < 2; n += 1) await (await open(t)).client.subscribe('my-channel');
  assert.equal(await counted, 3);
  // The counts before are of the same kind; the vector shows the third.
  const third = await texts.first((line) => line.includes('\\"subscription_count\\":3'));
  assert.deepEqual(JSON.parse(third), JSON.parse(expected.subscription_count));
  replayed.add('subscription_count');
});

test('signin_success', async (t) => {
  const { client, texts } = await open(t, { user: { id: 'user-1' } });
  assert.deepEqual(await client.signIn(), { id: 'user-1' });
  await replay('signin_success', texts);
});

test('watchlist_events', async (t) => {
  const watched = await open(t, { user: { id: 'user-2' } });
  await watched.client.signIn();
  const user = { id: 'user-1', watchlist: ['user-2', 'user-3'] };
  const { client, texts } = await open(t, { user });
  const { watchlist } = client.pusher.user;
  const told = Promise.all([next(watchlist, 'online'), next(watchlist, 'offline')]);
  await client.signIn();
  assert.deepEqual(await told, [
    { name: 'online', user_ids: ['user-2'] },
    { name: 'offline', user_ids: ['user-3'] },
  ]);
  await replay('watchlist_events', texts);
});

for (const sample of vectors.encryption.samples) {
  test(`encrypted event: ${sample.id} (E1, E2)`, async (t) => {
    const keys = {
      ...credentials('t2'),
      encryptionMasterKeyBase64: sample.master_key_base64,
    };
    const secrets = [];
    const authorisation = (asked) => {
      const answer = authorise(asked, { credentials: keys });
      secrets.push(answer.shared_secret);
      return answer;
    };
    const { client, texts } = await openRaw(t, { credentials: keys, authorisation });
    const channel = await client.subscribe(sample.channel);
    assert.deepEqual(secrets, [sample.shared_secret_base64]);
    const heard = next(channel, 'my-event');
    // The SDK's lower call: what is encrypted already must pass as it is.
    const body = { name: 'my-event', channels: [sample.channel], data: sample.event_data };
    await backend(keys).post({ path: '/events', body });
    // pusher-js gives handlers nothing for the empty text.
    assert.deepEqual((await heard) ?? '', JSON.parse(sample.plaintext));
    const line = await texts.first((each) => JSON.parse(each).event === 'my-event');
    assert.deepEqual(JSON.parse(line), JSON.parse(sample.frame));
  });
}

test('every frame of the vectors was replayed, and nothing else is sent in its place', () => {
  const frames = received.flatMap((texts) => texts.all.map((line) => JSON.parse(line)));
  assert.ok(frames.length > 0);
  for (const name of NEVER_SENT) {
    assert.equal(frames.some(({ event }) => event === `pusher:${name}`), false, name);
  }
  for (const { event, data } of frames) {
    // Section 2.2: an object in errors, text everywhere else, and never left out.
    assert.equal(typeof data, event === 'pusher:error' ? 'object' : 'string', event);
  }
  const missing = Object.keys(vectors.server_frames).filter((name) => !replayed.has(name));
  assert.deepEqual(missing, []);
});
