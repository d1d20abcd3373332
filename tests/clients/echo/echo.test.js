// Laravel Echo 2 with both broadcasters that speak this protocol, as a Laravel front end uses it.
//
// Each scenario runs three times: `pusher` and `reverb` with a pusher-js client passed in, and `reverb`
// set up by Echo itself with a Laravel-like /broadcasting/auth endpoint and a bearer token.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { authEndpoint, backend } from '../support/backend.js';
import { Client } from '../support/client.js';
import { Journal, next, within } from '../support/deadline.js';
import { app, host, port, shardOf, shards, unique } from '../support/target.js';

/** Echo over a client that the test made, as with the `client` option. */
async function overClient(t, broadcaster, user) {
  const client = new Client({ member: { user_id: user.id, user_info: user } });
  const echo = new Echo({ broadcaster, client: client.pusher, key: app.key });
  t.after(() => echo.disconnect());
  await client.connected();
  return echo;
}

/** Echo that makes its pusher-js client itself and asks an endpoint for authorisation. */
async function standalone(t, user) {
  const web = await authEndpoint(t, '/broadcasting/auth', ({ authorization, channelName }) =>
    authorization === `Bearer token-of-${user.id}` && !channelName.includes('forbidden')
      ? { user_id: user.id, user_info: user }
      : null,
  );
  const echo = new Echo({
    broadcaster: 'reverb',
    Pusher,
    key: app.key,
    wsHost: host,
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws'],
    authEndpoint: web.url,
    // Without it all Echo instances share one headers object, and so the last one's token.
    auth: { headers: {} },
    bearerToken: `token-of-${user.id}`,
  });
  t.after(() => echo.disconnect());
  if (echo.connectionStatus() !== 'connected') {
    await next(echo.connector.pusher.connection, 'connected');
  }
  return echo;
}

const makers = {
  'pusher with a client': (t, user) => overClient(t, 'pusher', user),
  'reverb with a client': (t, user) => overClient(t, 'reverb', user),
  'reverb by itself': (t, user) => standalone(t, user),
};

/** An Echo instance of the user on the shard. */
async function echoOn(t, make, shard, user) {
  for (let tries = 0; tries < 200; tries += 1) {
    const echo = await make(t, user);
    if (shardOf(echo.socketId()) === shard) return echo;
    echo.disconnect();
  }
  throw new Error(`no connection landed on shard ${shard}`);
}

/** One Echo instance on each shard, of the users `u-0` and `u-1`. */
async function echoes(t, make) {
  const all = [];
  for (let shard = 0; shard < shards; shard += 1) {
    all.push(await echoOn(t, make, shard, { id: `u-${shard}`, name: `User ${shard}` }));
  }
  return all;
}

function subscribed(channel) {
  const done = new Promise((resolve, reject) => {
    channel.subscribed(resolve).error((error) => reject(new Error(JSON.stringify(error))));
  });
  return within(done, `subscription to ${channel.name}`);
}

function heard(channel, event) {
  return within(new Promise((resolve) => channel.listen(event, resolve)), `${event} in Echo`);
}

for (const [title, make] of Object.entries(makers)) {
  test(`${title}: a public channel, an event of the namespace and a named one`, async (t) => {
    const all = await echoes(t, make);
    const name = unique('orders');
    const waiting = [];
    for (const echo of all) {
      const channel = echo.channel(name);
      await subscribed(channel);
      waiting.push(heard(channel, 'OrderShipped'), heard(channel, '.order.shipped'));
    }
    await backend().trigger(name, 'App\\Events\\OrderShipped', { order: { id: 5 } });
    await backend().trigger(name, 'order.shipped', { order: { id: 6 } });
    assert.deepEqual(await Promise.all(waiting), [
      { order: { id: 5 } },
      { order: { id: 6 } },
      { order: { id: 5 } },
      { order: { id: 6 } },
    ]);
  });

  test(`${title}: a private channel, notifications and everything at once`, async (t) => {
    const all = await echoes(t, make);
    const name = unique('App.Models.User');
    const journals = [];
    const notified = [];
    for (const echo of all) {
      const channel = echo.private(name);
      await subscribed(channel);
      const journal = new Journal(`shard ${shardOf(echo.socketId())}`);
      channel.listenToAll((event, data) => journal.add([event, data]));
      journals.push(journal);
      notified.push(within(new Promise((done) => channel.notification(done)), 'a notification'));
    }
    const created = 'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated';
    await backend().trigger(`private-${name}`, created, { id: 'n-1', type: 'Paid' });
    await backend().trigger(`private-${name}`, 'App\\Events\\Paid', { sum: 12.5 });
    assert.deepEqual(await Promise.all(notified), [
      { id: 'n-1', type: 'Paid' },
      { id: 'n-1', type: 'Paid' },
    ]);
    for (const journal of journals) {
      assert.deepEqual(await journal.reach(2), [
        [`.${created}`, { id: 'n-1', type: 'Paid' }],
        ['Paid', { sum: 12.5 }],
      ]);
    }
  });

  test(`${title}: an encrypted private channel, events and notifications (E1, E2)`, async (t) => {
    const all = await echoes(t, make);
    const name = unique('vault');
    const journals = [];
    for (const echo of all) {
      const channel = echo.encryptedPrivate(name);
      assert.equal(channel.name, `private-encrypted-${name}`);
      await subscribed(channel);
      const journal = new Journal(`shard ${shardOf(echo.socketId())}`);
      channel.listen('Paid', (data) => journal.add({ paid: data }));
      channel.notification((data) => journal.add({ notified: data }));
      journals.push(journal);
    }
    const created = 'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated';
    await backend().trigger(`private-encrypted-${name}`, 'App\\Events\\Paid', { sum: 12.5 });
    await backend().trigger(`private-encrypted-${name}`, created, { id: 'n-1', type: 'Zoë ☃' });
    for (const journal of journals) {
      const both = [{ paid: { sum: 12.5 } }, { notified: { id: 'n-1', type: 'Zoë ☃' } }];
      assert.deepEqual(await journal.reach(2), both);
    }
  });

  test(`${title}: to others, the socket that asked is left out`, async (t) => {
    const [asker, other] = await echoes(t, make);
    const name = unique('tasks');
    const journals = [];
    for (const echo of [asker, other]) {
      const channel = echo.private(name);
      await subscribed(channel);
      const journal = new Journal(`shard ${shardOf(echo.socketId())}`);
      channel.listen('.task', journal.add);
      journals.push(journal);
    }
    // What Laravel's broadcast(...)->toOthers() does with the X-Socket-ID header.
    const toOthers = { socket_id: asker.socketId() };
    await backend().trigger(`private-${name}`, 'task', { n: 1 }, toOthers);
    await backend().trigger(`private-${name}`, 'task', { n: 2 });
    await journals[0].reach(1);
    assert.deepEqual(journals[0].all, [{ n: 2 }]);
    await journals[1].reach(2);
    assert.deepEqual(journals[1].all, [{ n: 1 }, { n: 2 }]);
  });

  test(`${title}: here, joining and leaving`, async (t) => {
    const [first, second] = await echoes(t, make);
    const name = unique('room');
    const journal = new Journal('the first user');
    first
      .join(name)
      .here((users) => journal.add({ here: users }))
      .joining((user) => journal.add({ joining: user }))
      .leaving((user) => journal.add({ leaving: user }));
    const ada = { id: 'u-0', name: 'User 0' };
    const max = { id: 'u-1', name: 'User 1' };
    await journal.reach(1);

    const seen = new Promise((resolve) => second.join(name).here(resolve));
    const here = await within(seen, 'here of the second user');
    assert.deepEqual(
      here.sort((a, b) => a.id.localeCompare(b.id)),
      [ada, max],
    );
    await journal.reach(2);
    second.leave(name);
    await journal.reach(3);
    assert.deepEqual(journal.all, [{ here: [ada] }, { joining: max }, { leaving: max }]);
  });

  test(`${title}: a presence cache channel: who is here, then the last event (C2, P10)`, async (t) => {
    const [first, second] = await echoes(t, make);
    const name = unique('cache-room');
    await subscribed(first.join(name));
    await backend().trigger(`presence-${name}`, 'App\\Events\\TopicSet', { topic: 'cats' });
    const journal = new Journal('the second user');
    second
      .join(name)
      .here((users) => journal.add({ here: users.map(({ id }) => id).sort() }))
      .listen('TopicSet', (data) => journal.add(data));
    assert.deepEqual(await journal.reach(2), [{ here: ['u-0', 'u-1'] }, { topic: 'cats' }]);
  });

  test(`${title}: two tabs of one user on two shards join once and leave once`, async (t) => {
    const user = { id: 'u-9', name: 'Two Tabs' };
    const watcher = await make(t, { id: 'u-0', name: 'Watcher' });
    const tabs = [await echoOn(t, make, 0, user), await echoOn(t, make, 1, user)];
    const marker = await make(t, { id: 'u-8', name: 'Marker' });
    const name = unique('room');
    const journal = new Journal('the watcher');
    const room = watcher
      .join(name)
      .joining(({ id }) => journal.add(`+${id}`))
      .leaving(({ id }) => journal.add(`-${id}`));
    await subscribed(room);

    for (const tab of tabs) await subscribed(tab.join(name));
    await subscribed(marker.join(name));
    await journal.reach(2);
    assert.deepEqual(journal.all, ['+u-9', '+u-8']);

    tabs[0].disconnect();
    tabs[1].disconnect();
    await journal.reach(3);
    marker.leave(name);
    await journal.reach(4);
    assert.deepEqual(journal.all, ['+u-9', '+u-8', '-u-9', '-u-8']);
  });

  test(`${title}: whispers reach the others in private and presence channels`, async (t) => {
    const [first, second] = await echoes(t, make);
    for (const enter of ['private', 'join']) {
      const name = unique('chat');
      const channels = [first[enter](name), second[enter](name)];
      await Promise.all(channels.map(subscribed));
      const journals = channels.map((channel) => {
        const journal = new Journal(`whispers on ${channel.name}`);
        channel.listenForWhisper('typing', journal.add);
        return journal;
      });
      channels[0].whisper('typing', { name: 'Zoë' });
      await journals[1].reach(1);
      channels[1].whisper('typing', { name: 'Max' });
      await journals[0].reach(1);
      assert.deepEqual(journals[0].all, [{ name: 'Max' }]);
      assert.deepEqual(journals[1].all, [{ name: 'Zoë' }]);
    }
  });

  test(`${title}: leaving a channel ends it, entering again brings new events only`, async (t) => {
    const [echo, witness] = await echoes(t, make);
    const name = unique('orders');
    await subscribed(echo.private(name));
    const watched = witness.private(name);
    await subscribed(watched);
    const seen = new Journal('the witness');
    watched.listen('.n', seen.add);

    echo.leave(name);
    // Frames are handled in order: when this is confirmed, the other is left.
    await subscribed(echo.channel(unique('settled')));
    await backend().trigger(`private-${name}`, 'n', 1);
    await seen.reach(1);
    const channel = echo.private(name);
    const journal = new Journal('after entering again');
    channel.listen('.n', journal.add);
    await subscribed(channel);
    await backend().trigger(`private-${name}`, 'n', 2);
    await journal.reach(1);
    assert.deepEqual(journal.all, [2]);
  });
}

test('Echo hears of an authorisation that the web application refused', async (t) => {
  const echo = await standalone(t, { id: 'u-0', name: 'User 0' });
  const refused = new Promise((resolve, reject) => {
    echo
      .private(unique('forbidden'))
      .error(resolve)
      .subscribed(() => reject(new Error('subscribed')));
  });
  assert.equal((await within(refused, 'the refusal')).status, 403);
});

test('Echo hears of a signature that the server refused', async (t) => {
  const client = new Client({ credentials: { ...app, secret: 'wrong-secret' } });
  const echo = new Echo({ broadcaster: 'reverb', client: client.pusher, key: app.key });
  t.after(() => echo.disconnect());
  const refused = new Promise((resolve, reject) => {
    echo
      .private(unique('orders'))
      .error(resolve)
      .subscribed(() => reject(new Error('subscribed')));
  });
  const error = await within(refused, 'the refusal');
  assert.equal(error.type, 'AuthError');
  assert.equal(error.status, 401);
});

test('Echo follows the state of the connection', async (t) => {
  const echo = await overClient(t, 'reverb', { id: 'u-0', name: 'User 0' });
  assert.equal(echo.connectionStatus(), 'connected');
  assert.match(echo.socketId(), /^\d+\.\d+$/);
  echo.disconnect();
  assert.equal(echo.connectionStatus(), 'disconnected');
});
