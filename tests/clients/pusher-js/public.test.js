// Public channels: the official server SDK triggers, pusher-js clients on both shards receive.

import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { test } from 'node:test';
import { answer, backend } from '../support/backend.js';
import { open, openOnEach } from '../support/client.js';
import { next } from '../support/deadline.js';
import { quietApp, tlsPort, unique } from '../support/target.js';

test('an event reaches the subscribers on both shards, once each', async (t) => {
  const clients = await openOnEach(t);
  const name = unique('news');
  const heard = [];
  for (const client of clients) {
    const channel = await client.subscribe(name);
    channel.bind('order-shipped', (data) => heard.push({ shard: client.shard, data }));
  }

  assert.deepEqual(await answer(backend().trigger(name, 'order-shipped', { id: 5 })), {});
  await backend().trigger(name, 'sentinel', {});
  for (const client of clients) await client.frame(name, 'sentinel');

  heard.sort((a, b) => a.shard - b.shard);
  assert.deepEqual(heard, [
    { shard: 0, data: { id: 5 } },
    { shard: 1, data: { id: 5 } },
  ]);
  for (const client of clients) {
    assert.deepEqual(client.eventNames(name), ['order-shipped', 'sentinel']);
  }
});

const payloads = {
  object: { id: 5, nested: { list: [1, 'two', null, { three: 3 }] } },
  'empty object': {},
  array: [1, 2, 3],
  'plain text': 'hello',
  'empty text': '',
  number: 12.5,
  boolean: false,
  null: null,
  unicode: { name: 'Zoë ☃ 日本語 \u{1F680}', 'ключ': 'значение', right: 'שלום' },
  'control characters': { text: 'tab\there\nnewline\u0000nul\u001fus\u007fdel\u2028line' },
  'quotes and slashes': { text: '"\\/</script>\\u0041' },
  'text that looks like a frame': '{"event":"pusher:error","data":{"code":4001,"message":"no"}',
};

for (const [kind, payload] of Object.entries(payloads)) {
  test(`a payload arrives as it was sent: ${kind}`, async (t) => {
    const client = await open(t);
    const name = unique('payload');
    const channel = await client.subscribe(name);
    const heard = next(channel, 'sent');
    await backend().trigger(name, 'sent', payload);
    assert.deepEqual(await heard, payload);
  });
}

for (const event of ['App\\Events\\OrderShipped', 'with space', 'ünï☃\u{1F680}', 'é'.repeat(200)]) {
  test(`an event name arrives as it was sent: ${event.slice(0, 30)}`, async (t) => {
    const client = await open(t);
    const name = unique('names');
    const channel = await client.subscribe(name);
    const heard = next(channel, event);
    await backend().trigger(name, event, { ok: true });
    assert.deepEqual(await heard, { ok: true });
  });
}

test('events triggered one after the other arrive in that order on both shards', async (t) => {
  const clients = await openOnEach(t);
  const name = unique('ordered');
  for (const client of clients) await client.subscribe(name);

  // A customer's pool of kept connections, so that requests in a row are handled by different shards.
  const sdks = Array.from({ length: 16 }, () => {
    const { Agent } = tlsPort ? https : http;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    return backend({ agent });
  });
  const count = 500;
  for (let n = 0; n < count; n += 1) await answer(sdks[n % sdks.length].trigger(name, 'tick', n));

  const expected = Array.from({ length: count }, (_, n) => n);
  for (const client of clients) {
    const events = await client.events(name, count);
    assert.deepEqual(events.map(({ data }) => data), expected, `shard ${client.shard}`);
  }
});

test('events triggered at the same time arrive once each, in one order for all', async (t) => {
  const clients = [...(await openOnEach(t)), ...(await openOnEach(t))];
  const name = unique('storm');
  for (const client of clients) await client.subscribe(name);

  const count = 200;
  const numbers = Array.from({ length: count }, (_, n) => n);
  await Promise.all(numbers.map((n) => backend().trigger(name, 'tick', n)));
  await backend().trigger(name, 'sentinel', -1);

  const orders = [];
  for (const client of clients) {
    await client.frame(name, 'sentinel');
    const order = (await client.events(name, count + 1)).map(({ data }) => data);
    assert.deepEqual([...order].sort((a, b) => a - b), [-1, ...numbers]);
    orders.push(order);
  }
  for (const order of orders) assert.deepEqual(order, orders[0]);
});

test('after unsubscribing nothing arrives, and after subscribing again new events do', async (t) => {
  const [client, witness] = await openOnEach(t);
  const name = unique('news');
  await client.subscribe(name);
  await witness.subscribe(name);
  await backend().trigger(name, 'before', 1);
  await client.frame(name, 'before');

  client.pusher.unsubscribe(name);
  await client.settled();
  await backend().trigger(name, 'between', 2);
  await witness.frame(name, 'between');
  await client.subscribe(name);
  await backend().trigger(name, 'after', 3);
  for (const either of [client, witness]) await either.frame(name, 'after');

  assert.deepEqual(client.eventNames(name), ['before', 'after']);
  assert.deepEqual(witness.eventNames(name), ['before', 'between', 'after']);
});

test('subscribing twice is confirmed twice and delivers once (Q7)', async (t) => {
  const client = await open(t);
  const name = unique('news');
  const channel = await client.subscribe(name);
  const again = next(channel, 'pusher:subscription_succeeded');
  client.sendText(JSON.stringify({ event: 'pusher:subscribe', data: { channel: name } }));
  await again;

  await backend().trigger(name, 'one', 1);
  await backend().trigger(name, 'two', 2);
  await client.frame(name, 'two');
  assert.deepEqual(client.eventNames(name), ['one', 'two']);
  assert.deepEqual(client.errors.all, []);
});

test('a client on many channels gets one frame for each channel of a trigger (S14)', async (t) => {
  const clients = await openOnEach(t);
  const names = Array.from({ length: 100 }, () => unique('many'));
  for (const client of clients) await Promise.all(names.map((name) => client.subscribe(name)));

  await backend().trigger(names, 'all', { ok: true });
  for (const name of names) await backend().trigger(name, 'sentinel', {});
  for (const client of clients) {
    for (const name of names) {
      await client.frame(name, 'sentinel');
      assert.deepEqual(client.eventNames(name), ['all', 'sentinel'], name);
    }
  }
});

test('only a prefix at the start makes a channel private or presence', async (t) => {
  const client = await open(t);
  for (const prefix of ['privateer', 'presence', 'my-private-x', 'Private-x', 'encrypted-x']) {
    const name = unique(prefix).replace('presence-', 'presence=');
    // pusher-js sends an empty signature for a public name; a private one would be refused.
    await client.subscribe(name);
    await backend().trigger(name, 'public', prefix);
    assert.equal((await client.frame(name, 'public')).data, prefix);
  }
});

test('every allowed character may be in a channel name', async (t) => {
  const client = await open(t);
  const name = `${unique('A-z')}_=@,.;0`;
  await client.subscribe(name);
  await backend().trigger(name, 'odd', 1);
  await client.frame(name, 'odd');
});

test('a channel name of 200 characters is accepted, 201 and forbidden ones are not', async (t) => {
  const client = await open(t);
  const longest = unique('long').padEnd(200, 'x');
  await client.subscribe(longest);
  await backend().trigger(longest, 'fits', 1);
  await client.frame(longest, 'fits');

  const tooLong = await client.refused(`${longest}x`);
  assert.equal(tooLong.type, 'LimitReached');
  assert.equal(tooLong.status, 4009);
  for (const name of ['with space', 'slash/es', 'ümlaut', 'hash#tag', 'colon:name']) {
    const refused = await client.refused(unique(name));
    assert.equal(refused.type, 'InvalidChannel', name);
    assert.equal(refused.status, 4009, name);
  }

  await backend().trigger(longest, 'still', 2);
  await client.frame(longest, 'still');
  assert.equal(client.state, 'connected');
});

test('the same channel name in two applications is two channels', async (t) => {
  const name = unique('news');
  const clients = await openOnEach(t);
  const strangers = await openOnEach(t, () => ({ credentials: quietApp }));
  for (const client of [...clients, ...strangers]) await client.subscribe(name);

  await backend().trigger(name, 'ours', 1);
  for (const client of clients) await client.frame(name, 'ours');
  await backend(quietApp).trigger(name, 'theirs', 2);
  for (const stranger of strangers) await stranger.frame(name, 'theirs');
  await backend().trigger(name, 'sentinel', 3);
  for (const client of clients) await client.frame(name, 'sentinel');

  for (const client of clients) assert.deepEqual(client.eventNames(name), ['ours', 'sentinel']);
  for (const stranger of strangers) assert.deepEqual(stranger.eventNames(name), ['theirs']);
});
