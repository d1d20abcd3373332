// npm `pusher`: trigger and triggerBatch, observed by pusher-js clients on both shards.

import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { app, host, port, unique } from '../support/target.js';

// R3, R5: the SDK sends headers of its own, and takes nothing but a status below 400 and JSON.
test('one trigger to several channels reaches the subscribers of each', async (t) => {
  const [zero, one] = await openOnEach(t);
  const names = [unique('news'), unique('private-orders'), unique('presence-room')];
  const member = { user_id: 'u-1' };
  zero.member = member;
  one.member = member;
  for (const name of names) await zero.subscribe(name);
  await one.subscribe(names[1]);

  assert.deepEqual(await answer(backend().trigger(names, 'shipped', { id: 5 })), {});
  for (const name of names) assert.deepEqual((await zero.frame(name, 'shipped')).data, { id: 5 });
  await one.frame(names[1], 'shipped');
  await backend().trigger(names[1], 'sentinel', {});
  await one.frame(names[1], 'sentinel');
  const received = one.frames.all.filter(({ event }) => event === 'shipped');
  assert.deepEqual(received.map(({ channel }) => channel), [names[1]]);
});

test('a channel that is named twice in a trigger gets the event once', async (t) => {
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  await backend().trigger([name, name], 'once', 1);
  await backend().trigger(name, 'sentinel', 2);
  await client.frame(name, 'sentinel');
  assert.deepEqual(client.eventNames(name), ['once', 'sentinel']);
});

test('socket_id leaves out exactly that connection, wherever it is (S13)', async (t) => {
  const clients = [...(await openOnEach(t)), ...(await openOnEach(t))];
  const name = unique('private-orders');
  for (const client of clients) await client.subscribe(name);

  for (const [index, client] of clients.entries()) {
    // Several times, so that requests of both shards leave out connections of both shards.
    for (let n = 0; n < 8; n += 1) {
      await backend().trigger(name, `without-${index}`, n, { socket_id: client.socketId });
    }
  }
  await backend().trigger(name, 'sentinel', {});
  for (const [index, client] of clients.entries()) {
    await client.frame(name, 'sentinel');
    const expected = [0, 1, 2, 3]
      .filter((other) => other !== index)
      .flatMap((other) => Array.from({ length: 8 }, () => `without-${other}`));
    assert.deepEqual(client.eventNames(name), [...expected, 'sentinel']);
  }
});

test('socket_id leaves the connection out on every channel of the trigger', async (t) => {
  const [asker, other] = await openOnEach(t);
  const names = Array.from({ length: 10 }, () => unique('private-orders'));
  for (const name of names) {
    await asker.subscribe(name);
    await other.subscribe(name);
  }
  await backend().trigger(names, 'changed', {}, { socket_id: asker.socketId });
  for (const name of names) {
    await other.frame(name, 'changed');
    await backend().trigger(name, 'sentinel', {});
    await asker.frame(name, 'sentinel');
    assert.deepEqual(asker.eventNames(name), ['sentinel']);
  }
});

test('socket_id of a connection that is gone leaves nobody out', async (t) => {
  const gone = await open(t);
  const id = gone.socketId;
  gone.close();
  const clients = await openOnEach(t);
  const name = unique('news');
  for (const client of clients) await client.subscribe(name);
  await backend().trigger(name, 'for-all', {}, { socket_id: id });
  for (const client of clients) await client.frame(name, 'for-all');
});

test('an event for a channel without subscribers is a success', async () => {
  assert.deepEqual(await answer(backend().trigger(unique('empty'), 'lost', {})), {});
});

test('info in a trigger answers with the counts of each channel (R10)', async (t) => {
  const members = await openOnEach(t, () => ({ member: { user_id: 'ada' } }));
  const max = await openOn(t, 1, { member: { user_id: 'max' } });
  const [room, empty, news] = [unique('presence-room'), unique('presence-empty'), unique('news')];
  for (const client of [...members, max]) {
    await client.subscribe(room);
    await client.subscribe(news);
  }
  const request = backend().trigger([room, empty, news], 'counted', {}, { info: 'user_count' });
  assert.deepEqual(await answer(request), {
    channels: { [room]: { user_count: 2 }, [empty]: { user_count: 0 }, [news]: {} },
  });
});

test('a batch delivers its items in order, each to its channel', async (t) => {
  const clients = await openOnEach(t);
  const [name, other] = [unique('news'), unique('private-orders')];
  for (const client of clients) {
    await client.subscribe(name);
    await client.subscribe(other);
  }
  const batch = Array.from({ length: 10 }, (_, n) => ({
    channel: n === 4 ? other : name,
    name: `item-${n}`,
    data: { n, text: 'ünï ☃' },
  }));
  assert.deepEqual(await answer(backend().triggerBatch(batch)), {});
  for (const client of clients) {
    const events = await client.events(name, 9);
    assert.deepEqual(
      events.map(({ event, data }) => [event, data.n]),
      [0, 1, 2, 3, 5, 6, 7, 8, 9].map((n) => [`item-${n}`, n]),
    );
    assert.deepEqual((await client.frame(other, 'item-4')).data, { n: 4, text: 'ünï ☃' });
  }
});

test('each item of a batch leaves out its own socket_id', async (t) => {
  const clients = await openOnEach(t);
  const name = unique('private-orders');
  for (const client of clients) await client.subscribe(name);
  const [zero, one] = clients.map(({ socketId }) => socketId);
  await backend().triggerBatch([
    { channel: name, name: 'without-zero', data: 1, socket_id: zero },
    { channel: name, name: 'without-one', data: 2, socket_id: one },
    { channel: name, name: 'for-all', data: 3 },
  ]);
  await clients[0].events(name, 2);
  await clients[1].events(name, 2);
  await backend().trigger(name, 'sentinel', {});
  for (const client of clients) await client.frame(name, 'sentinel');
  assert.deepEqual(clients[0].eventNames(name), ['without-one', 'for-all', 'sentinel']);
  assert.deepEqual(clients[1].eventNames(name), ['without-zero', 'for-all', 'sentinel']);
});

test('info in a batch answers one entry for each item, in order (8.4)', async (t) => {
  const client = await open(t, { member: { user_id: 'ada' } });
  const [room, news] = [unique('presence-room'), unique('news')];
  await client.subscribe(room);
  const request = backend().triggerBatch([
    { channel: news, name: 'a', data: 1 },
    { channel: room, name: 'b', data: 2, info: 'user_count' },
  ]);
  assert.deepEqual(await answer(request), { batch: [{}, { user_count: 1 }] });
});

test('many requests over one kept connection', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const sdk = backend({ agent });
  const clients = await openOnEach(t);
  const name = unique('news');
  for (const client of clients) await client.subscribe(name);

  const socketsSeen = new Set();
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    const socket = createConnection(...args);
    socketsSeen.add(socket);
    return socket;
  };
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  // One socket: the requests queue up behind each other, in this order.
  await Promise.all(numbers.map(async (n) => answer(sdk.trigger(name, 'tick', n))));
  assert.equal(socketsSeen.size, 1);
  for (const client of clients) {
    const events = await client.events(name, 50);
    assert.deepEqual(events.map(({ data }) => data), numbers);
  }
});

test('the SDK made from a URL works', async (t) => {
  const { default: Pusher } = await import('pusher');
  const client = await open(t);
  const name = unique('news');
  await client.subscribe(name);
  const sdk = Pusher.forURL(`http://${app.key}:${app.secret}@${host}:${port}/apps/${app.appId}`);
  assert.deepEqual(await answer(sdk.trigger(name, 'by-url', { ok: true })), {});
  await client.frame(name, 'by-url');
});
