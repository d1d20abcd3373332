// Private channels: subscriptions are signed by the official server SDK, rightly and wrongly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authEndpoint, authorise, backend } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { app, quietApp, unique } from '../support/target.js';

test('a signed client subscribes on either shard and gets the events', async (t) => {
  const clients = await openOnEach(t);
  const name = unique('private-orders');
  for (const client of clients) await client.subscribe(name);
  await backend().trigger(name, 'order-shipped', { id: 5 });
  for (const client of clients) {
    assert.deepEqual((await client.frame(name, 'order-shipped')).data, { id: 5 });
  }
});

test('the application with a secret outside ASCII signs with its UTF-8 bytes', async (t) => {
  const client = await open(t, { credentials: quietApp });
  const name = unique('private-orders');
  await client.subscribe(name);
  await backend(quietApp).trigger(name, 'signed', 1);
  await client.frame(name, 'signed');
});

test('pusher-js asks an authorisation endpoint over HTTP', async (t) => {
  const web = await authEndpoint(t, '/pusher/auth', ({ channelName }) =>
    channelName.startsWith('private-forbidden') ? null : {},
  );
  const channelAuthorization = { endpoint: web.url, transport: 'ajax' };
  const client = await open(t, { channelAuthorization });
  const allowed = unique('private-orders');
  await client.subscribe(allowed);
  await backend().trigger(allowed, 'ours', 1);
  await client.frame(allowed, 'ours');
  assert.equal(web.seen[0].socketId, client.socketId);
  assert.equal(web.seen[0].channelName, allowed);

  const refused = await client.refused(unique('private-forbidden'));
  assert.equal(refused.status, 403);
});

// Each makes an answer of the authorisation endpoint that must be refused.
const forgeries = {
  'signed with a wrong secret': (request) =>
    authorise(request, { credentials: { ...app, secret: 'wrong-secret' } }),
  'signed with the secret in other case': (request) =>
    authorise(request, { credentials: { ...app, secret: 'App-Secret' } }),
  "signed with another application's credentials": (request) =>
    authorise(request, { credentials: quietApp }),
  "another application's key before a right digest": (request) => {
    const digest = authorise(request).auth.split(':')[1];
    return { auth: `${quietApp.key}:${digest}` };
  },
  'signed for another socket': (request) => authorise({ ...request, socketId: '123.456' }),
  'signed for another channel': (request) =>
    authorise({ ...request, channelName: `${request.channelName}x` }),
  'signed without the channel data that is sent': (request) => ({
    ...authorise(request),
    channel_data: '{"user_id":"7"}',
  }),
  'the last digit changed': (request) => {
    const { auth } = authorise(request);
    return { auth: auth.slice(0, -1) + (auth.endsWith('0') ? '1' : '0') };
  },
  'the digest in capitals with one digit missing': (request) => ({
    auth: authorise(request).auth.slice(0, -1).replace(/[a-f]/g, (c) => c.toUpperCase()),
  }),
  'no digest': () => ({ auth: `${app.key}:` }),
  'no colon': (request) => ({ auth: authorise(request).auth.replace(':', '') }),
  'an empty text': () => ({ auth: '' }),
  nothing: () => ({}),
};

for (const [kind, forge] of Object.entries(forgeries)) {
  test(`a subscription is refused: ${kind}`, async (t) => {
    const forger = await openOn(t, 0, {
      authorisation: (request) =>
        request.channelName.startsWith('private-vault') ? forge(request) : authorise(request),
    });
    const insider = await openOn(t, 0);
    const vault = unique('private-vault');
    const lobby = unique('private-lobby');
    await forger.subscribe(lobby);
    await insider.subscribe(vault);

    const error = await forger.refused(vault);
    assert.equal(error.type, 'AuthError');
    assert.equal(error.status, 401);
    assert.equal(typeof error.error, 'string');

    // Both live on one shard: what the insider got would already be with the forger.
    await backend().trigger(vault, 'secret', 1);
    await insider.frame(vault, 'secret');
    await backend().trigger(lobby, 'sentinel', 2);
    await forger.frame(lobby, 'sentinel');
    assert.deepEqual(forger.eventNames(vault), []);
    assert.equal(forger.pusher.channel(vault).subscribed, false);
    // S5: the connection and its other subscriptions are untouched.
    assert.equal(forger.state, 'connected');
  });
}

test('a refusal is told to the channel and to the connection (3.2)', async (t) => {
  const client = await open(t, { authorisation: () => ({ auth: `${app.key}:${'0'.repeat(64)}` }) });
  const name = unique('private-vault');
  await client.refused(name);
  const error = await client.errors.first(() => true, 'the connection level error');
  assert.equal(error.data.code, null);
  assert.equal(typeof error.data.message, 'string');
  const told = client.frames.all.filter(({ channel }) => channel === name);
  assert.deepEqual(
    told.map(({ event }) => event),
    ['pusher:subscription_error', 'pusher:error'],
  );
});

test('a private subscription signed with channel data is accepted (A3)', async (t) => {
  const client = await open(t, {
    authorisation: ({ socketId, channelName }) =>
      backend().authorizeChannel(socketId, channelName, { user_id: '7', note: 'Zoë' }),
  });
  const name = unique('private-orders');
  await client.subscribe(name);
  await backend().trigger(name, 'signed', 1);
  await client.frame(name, 'signed');
});

test('presence channels refuse a wrong secret, and nobody sees the stranger', async (t) => {
  const insider = await openOn(t, 0, { member: { user_id: 'insider' } });
  const wrong = { ...app, secret: 'wrong-secret' };
  const stranger = await openOn(t, 1, { credentials: wrong, member: { user_id: 'stranger' } });
  const guest = await openOn(t, 1, { member: { user_id: 'guest' } });
  const name = unique('presence-room');

  await insider.subscribe(name);
  const error = await stranger.refused(name);
  assert.equal(error.type, 'AuthError');
  assert.equal(error.status, 401);
  await guest.subscribe(name);
  await insider.memberChange(name, 'member_added', 'guest');
  assert.deepEqual(insider.membersChanged(name, 'member_added'), ['guest']);
  assert.deepEqual(Object.keys(guest.pusher.channel(name).members.members).sort(), [
    'guest',
    'insider',
  ]);
});
