// Cache channels of all four kinds with pusher-js: the last event is told to whoever comes later.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend, refusal } from '../support/backend.js';
import { open, openOnEach } from '../support/client.js';
import { Journal } from '../support/deadline.js';
import { unique } from '../support/target.js';

const KINDS = ['cache-', 'private-cache-', 'presence-cache-', 'private-encrypted-cache-'];
const asMember = (shard) => ({ member: { user_id: `u-${shard}` } });

/** Joins and collects, in order, what the channel tells an application. */
async function join(client, name, ...events) {
  const told = new Journal(`told on ${name}`);
  const channel = client.pusher.subscribe(name);
  for (const event of ['pusher:subscription_succeeded', 'pusher:cache_miss', ...events]) {
    channel.bind(event, (data) => told.add([event, data]));
  }
  await told.reach(1);
  return told;
}

/** What was told after the success, which must come first (S3), once there is something. */
async function afterSuccess(told, count = 1) {
  const [[first], ...rest] = await told.reach(1 + count);
  assert.equal(first, 'pusher:subscription_succeeded');
  return rest;
}

for (const kind of KINDS) {
  test(`${kind}: without an event a client is told so, and then of the live one (C3)`, async (t) => {
    const name = unique(`${kind}price`);
    for (const client of await openOnEach(t, asMember)) {
      const told = await join(client, name, 'price');
      assert.deepEqual(await afterSuccess(told), [['pusher:cache_miss', {}]]);
      client.told = told;
      client.pusher.unsubscribe(name);
    }
    const clients = await openOnEach(t, asMember);
    const live = [];
    for (const client of clients) live.push(await join(client, name, 'price'));
    await backend().trigger(name, 'price', { sum: 1 });
    for (const told of live) {
      assert.deepEqual(await afterSuccess(told, 2), [
        ['pusher:cache_miss', {}],
        ['price', { sum: 1 }],
      ]);
    }
  });

  test(`${kind}: the last event is told on both shards, whoever was there before (C1, C2, C5)`, async (t) => {
    const name = unique(`${kind}price`);
    // Nobody is subscribed when these are triggered.
    await backend().trigger(name, 'old', { sum: 1 });
    await backend().trigger(name, 'price', { sum: 2, who: 'Zoë ☃' });
    for (const client of await openOnEach(t, asMember)) {
      const told = await join(client, name, 'old', 'price');
      assert.deepEqual(await afterSuccess(told), [['price', { sum: 2, who: 'Zoë ☃' }]]);
      await client.settled();
      assert.equal(told.all.length, 2, 'the cached event and nothing else');
    }
  });

  test(`${kind}: the event outlives the last subscriber, and the one it left out (Q28, Q32)`, async (t) => {
    const name = unique(`${kind}price`);
    const [asker] = await openOnEach(t, asMember);
    const before = await join(asker, name, 'price');
    await afterSuccess(before);
    await backend().trigger(name, 'price', { sum: 3 }, { socket_id: asker.socketId });
    asker.pusher.unsubscribe(name);
    await asker.settled();
    assert.equal(before.all.length, 2, 'left out, it heard nothing');
    asker.pusher.channel(name)?.unbind();
    const again = await join(asker, name, 'price');
    assert.deepEqual(await afterSuccess(again), [['price', { sum: 3 }]]);
  });
}

test('client events are not kept (C1)', async (t) => {
  const name = unique('private-cache-price');
  const [sender, late] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  await backend().trigger(name, 'price', { sum: 4 });
  await sender.frame(name, 'price');
  channel.trigger('client-typing', { at: 1 });
  await sender.settled();
  const told = await join(late, name, 'price', 'client-typing');
  assert.deepEqual(await afterSuccess(told), [['price', { sum: 4 }]]);
});

test('a presence cache channel tells of its members, then of the event (P10)', async (t) => {
  const name = unique('presence-cache-room');
  const [ada, max] = await openOnEach(t, (shard) => ({
    member: { user_id: ['ada', 'max'][shard], user_info: { n: shard } },
  }));
  await ada.subscribe(name);
  await backend().trigger(name, 'topic', { text: 'cats' });
  const told = await join(max, name, 'topic');
  const [success, cached] = await told.reach(2);
  assert.equal(success[0], 'pusher:subscription_succeeded');
  assert.deepEqual(success[1].members, { ada: { n: 0 }, max: { n: 1 } });
  assert.deepEqual(cached, ['topic', { text: 'cats' }]);
  await ada.memberChange(name, 'member_added', 'max');
});

test('a batch and an event for several channels are kept on each (C1)', async (t) => {
  const client = await open(t);
  const names = [unique('cache-a'), unique('cache-b'), unique('private-cache-c')];
  await backend().trigger(names.slice(0, 2), 'price', { sum: 5 });
  await backend().triggerBatch([
    { channel: names[1], name: 'price', data: { sum: 6 } },
    { channel: names[2], name: 'price', data: { sum: 7 } },
  ]);
  for (const [index, sum] of [5, 6, 7].entries()) {
    const told = await join(client, names[index], 'price');
    assert.deepEqual(await afterSuccess(told), [['price', { sum }]]);
  }
});

test('the cached event is part of the channel info, on cache channels only (8.6)', async (t) => {
  const client = await open(t);
  const [name, news] = [unique('cache-price'), unique('news')];
  const info = (channel) => backend().get({ path: `/channels/${channel}`, params: { info: 'cache' } });
  assert.deepEqual(await answer(info(name)), { occupied: false, cache: null });
  await backend().trigger(name, 'price', { sum: 8 });
  await client.subscribe(name);
  const { occupied, cache } = await answer(info(name));
  assert.equal(occupied, true);
  assert.deepEqual(JSON.parse(cache.data), { sum: 8 });
  assert.ok(Number.isInteger(cache.ttl) && cache.ttl > 1700 && cache.ttl <= 1800, `${cache.ttl}`);
  assert.equal((await refusal(info(news))).status, 400);
});
