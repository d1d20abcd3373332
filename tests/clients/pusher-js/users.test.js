// Users with pusher-js: signing in, events for one user, presence as that user, and being terminated.
// Backends are both SDKs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { Journal, next } from '../support/deadline.js';
import { python } from '../support/python.js';
import { app, unique } from '../support/target.js';

const backends = {
  'npm pusher': {
    sendToUser: (...args) => backend().sendToUser(...args),
    terminate: async (id) => assert.equal((await backend().terminateUserConnections(id)).status, 200),
  },
  'PyPI pusher': {
    sendToUser: (...args) => python('send_to_user', ...args),
    terminate: async (id) => assert.deepEqual(await python('terminate_user_connections', id), {}),
  },
};

/** Signs in and waits until pusher-js has subscribed to the user's own channel (U8). */
async function signIn(client) {
  const known = await client.signIn();
  await client.frame(`#server-to-user-${client.user.id}`, 'pusher_internal:subscription_succeeded');
  return known;
}

/** What the user's application hears of events with that name. */
function listen(client, event) {
  const heard = new Journal(`${event} for ${client.user.id}`);
  client.pusher.user.bind(event, heard.add);
  return heard;
}

test('a client signs in and knows who it is (U1, U2)', async (t) => {
  const user = { id: unique('ada'), user_info: { name: 'Zoë ☃' }, watchlist: ['x'] };
  const client = await open(t, { user });
  assert.deepEqual(await signIn(client), user);
  const { data } = await client.frames.first(({ event }) => event === 'pusher:signin_success');
  assert.deepEqual(Object.keys(data), ['user_data']);
  assert.deepEqual(client.errors.all, []);
});

test('what PyPI pusher signs is accepted too (U1)', async (t) => {
  const user = { id: unique('ada'), user_info: { name: 'Zoë ☃' } };
  const client = await open(t, {
    user,
    userAuthentication: {
      customHandler: async ({ socketId }, done) =>
        done(null, await python('authenticate_user', socketId, user)),
    },
  });
  assert.deepEqual(await signIn(client), user);
});

test('a wrong signature is refused with 4009, and the connection stays (U4, Q18)', async (t) => {
  const user = { id: unique('ada') };
  const client = await open(t, {
    user,
    userAuthentication: {
      customHandler: ({ socketId }, done) =>
        done(null, backend({ ...app, secret: 'wrong' }).authenticateUser(socketId, user)),
    },
  });
  client.pusher.signin();
  const { data } = await client.errors.first(() => true, 'a refusal');
  assert.equal(data.code, 4009);
  await client.settled();
  assert.equal(client.state, 'connected');
  assert.equal(client.pusher.user.user_data, null);

  // Nobody hears what is meant for the user he said he was (U7, U8).
  const channel = `#server-to-user-${user.id}`;
  const subscribe = { event: 'pusher:subscribe', data: { channel, auth: '' } };
  client.sendText(JSON.stringify(subscribe));
  const frame = await client.frame(channel, 'pusher:subscription_error');
  assert.equal(frame.data.type, 'InvalidChannel');
});

for (const [sdk, { sendToUser, terminate }] of Object.entries(backends)) {
  test(`${sdk}: an event for a user reaches all its connections and nobody else (U7, U9)`, async (t) => {
    const [ada, max] = [unique('ada'), unique('max')];
    const own = await openOnEach(t, () => ({ user: { id: ada } }));
    const others = await openOnEach(t, () => ({ user: { id: max } }));
    const anonymous = await open(t);
    for (const client of [...own, ...others]) await signIn(client);
    const heard = [...own, ...others].map((client) => listen(client, 'note'));

    await sendToUser(ada, 'note', { text: 'Zoë ☃' });
    await sendToUser(ada, 'note', { text: 'again' });
    await sendToUser(max, 'note', { text: 'for max' });
    const adas = [{ text: 'Zoë ☃' }, { text: 'again' }];
    for (const journal of heard.slice(0, 2)) assert.deepEqual(await journal.reach(2), adas);
    for (const journal of heard.slice(2)) {
      assert.deepEqual(await journal.reach(1), [{ text: 'for max' }]);
    }
    await anonymous.settled();
    const told = anonymous.frames.all.filter(({ event }) => event === 'note');
    assert.deepEqual(told, []);
  });

  test(`${sdk}: terminated, a user's connections end for good, others stay (7.5)`, async (t) => {
    const ada = unique('ada');
    const own = await openOnEach(t, () => ({ user: { id: ada } }));
    const other = await open(t, { user: { id: unique('max') } });
    for (const client of [...own, other]) await signIn(client);
    const ended = own.map((client) => next(client.pusher.connection, 'disconnected'));
    await terminate(ada);
    await Promise.all(ended);
    for (const client of own) {
      const { data } = await client.frames.first(({ event }) => event === 'pusher:error');
      assert.equal(data.code, 4009);
      assert.equal(client.states.all.at(-1), 'disconnected');
    }
    await other.settled();
    assert.equal(other.state, 'connected');
    await terminate(ada); // nobody is left, which is no error

    // The user may come back when the application lets it.
    own[0].pusher.connect();
    await next(own[0].pusher.connection, 'connected');
  });
}

test('after a reconnect the client signs in again and hears again (U6)', async (t) => {
  const client = await openOn(t, 0, { user: { id: unique('ada') } });
  await signIn(client);
  const heard = listen(client, 'note');
  client.pusher.disconnect();
  const again = client.frames.reach(2, ({ event }) => event === 'pusher:signin_success');
  client.pusher.connect();
  await again;
  await backend().sendToUser(client.user.id, 'note', { n: 1 });
  assert.deepEqual(await heard.reach(1), [{ n: 1 }]);
});

test('signed in, a client joins presence channels as its user (P9)', async (t) => {
  const name = unique('presence-room');
  const watcher = await openOn(t, 0, { member: { user_id: 'watcher' } });
  await watcher.subscribe(name);
  const user = { id: unique('ada'), user_info: { name: 'Ada' } };
  // No `member`: the application signs the channel only.
  const client = await openOn(t, 1, { user });
  await signIn(client);
  const channel = await client.subscribe(name);
  assert.deepEqual(channel.members.me, { id: user.id, info: { name: 'Ada' } });
  const added = await watcher.memberChange(name, 'member_added', user.id);
  assert.deepEqual(added.data, { user_id: user.id, user_info: { name: 'Ada' } });
  client.close();
  await watcher.memberChange(name, 'member_removed', user.id);
});

test('without a sign-in such a subscription is refused (P9)', async (t) => {
  const client = await open(t);
  const name = unique('presence-room');
  // pusher-js would not send it: by hand.
  const { auth } = backend().authorizeChannel(client.socketId, name);
  client.sendText(JSON.stringify({ event: 'pusher:subscribe', data: { channel: name, auth } }));
  const { data } = await client.frame(name, 'pusher:subscription_error');
  assert.equal(typeof data.error, 'string');
});

test('channels of users are not listed (R16)', async (t) => {
  const client = await open(t, { user: { id: unique('ada') } });
  await signIn(client);
  const { channels } = await answer(backend().get({ path: '/channels' }));
  assert.deepEqual(Object.keys(channels).filter((name) => name.startsWith('#')), []);
});
