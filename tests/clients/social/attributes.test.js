// The attributes of channels as both SDKs ask for them, where subscription counts are on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, backend, refusal } from '../support/backend.js';
import { openOnEach } from '../support/client.js';
import { pythonAs } from '../support/python.js';
import { app, socialApp, unique } from '../support/target.js';

const sdk = backend(socialApp);
const info = 'user_count,subscription_count';

/** Two tabs of one user, one on each shard, on a channel of each kind. */
async function occupied(t) {
  const names = { room: unique('presence-room'), news: unique('news'), price: unique('cache-price') };
  const tab = () => ({ credentials: socialApp, member: { user_id: 'ada' } });
  for (const client of await openOnEach(t, tab)) {
    for (const name of Object.values(names)) await client.subscribe(name);
  }
  return { ...names, empty: unique('empty') };
}

test('one channel, asked by either SDK (8.6)', async (t) => {
  const { room, news, price, empty } = await occupied(t);
  const ask = async (name, ...attributes) => {
    const params = { info: attributes.join(',') };
    const one = await answer(sdk.get({ path: `/channels/${name}`, params }));
    const other = await pythonAs(socialApp, 'channel_info', name, attributes);
    assert.deepEqual(one, other);
    return one;
  };
  const both = { occupied: true, user_count: 1, subscription_count: 2 };
  assert.deepEqual(await ask(room, 'user_count', 'subscription_count'), both);
  assert.deepEqual(await ask(news, 'subscription_count'), {
    occupied: true,
    subscription_count: 2,
  });
  assert.deepEqual(await ask(price, 'subscription_count', 'cache'), {
    occupied: true,
    subscription_count: 2,
    cache: null,
  });
  assert.deepEqual(await ask(empty, 'subscription_count'), {
    occupied: false,
    subscription_count: 0,
  });
  const wrong = sdk.get({ path: `/channels/${news}`, params: { info: 'user_count' } });
  assert.equal((await refusal(wrong)).status, 400);
  await assert.rejects(pythonAs(socialApp, 'channel_info', news, ['user_count']), /PusherBadRequest/);
});

test('all channels, asked by either SDK (R15)', async (t) => {
  const { room, news } = await occupied(t);
  const rooms = { channels: { [room]: { user_count: 1, subscription_count: 2 } } };
  const params = { filter_by_prefix: room, info };
  assert.deepEqual(await answer(sdk.get({ path: '/channels', params })), rooms);
  const attributes = ['user_count', 'subscription_count'];
  assert.deepEqual(await pythonAs(socialApp, 'channels_info', room, attributes), rooms);
  const plain = { filter_by_prefix: news, info: 'subscription_count' };
  assert.deepEqual(await answer(sdk.get({ path: '/channels', params: plain })), {
    channels: { [news]: { subscription_count: 2 } },
  });
});

test('an event and a batch tell of their channels (R10, 8.4)', async (t) => {
  const { room, news, empty } = await occupied(t);
  const told = await answer(sdk.trigger([room, news, empty], 'e', {}, { info }));
  assert.deepEqual(told, {
    channels: {
      [room]: { user_count: 1, subscription_count: 2 },
      [news]: { subscription_count: 2 },
      [empty]: { subscription_count: 0 },
    },
  });
  const batch = await answer(
    sdk.triggerBatch([
      { channel: news, name: 'e', data: 1, info },
      { channel: room, name: 'e', data: 2, info: 'user_count' },
      { channel: room, name: 'e', data: 3 },
    ]),
  );
  assert.deepEqual(batch, { batch: [{ subscription_count: 2 }, { user_count: 1 }, {}] });
});

test('an application without the switch is told no subscription counts (8.6)', async (t) => {
  const name = unique('news');
  for (const client of await openOnEach(t)) await client.subscribe(name);
  const params = { info: 'subscription_count' };
  const one = await answer(backend().get({ path: `/channels/${name}`, params }));
  assert.deepEqual(one, { occupied: true });
  assert.deepEqual(await pythonAs(app, 'channel_info', name, ['subscription_count']), one);
});
