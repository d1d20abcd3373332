// A server that was started on soketi's own defaults: what its users do, with stock clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Pusher from 'pusher';
import { next } from '../support/deadline.js';
import { stockClient } from '../support/stock.js';
import { app, host, port, unique } from '../support/target.js';

const { encryptionMasterKeyBase64: _, ...credentials } = app;
const sdk = new Pusher({ ...credentials, host, port, useTLS: false });

/** A stock client, subscribed to a channel that it is authorised for by the SDK. */
async function join(t, name) {
  const client = stockClient(t, { key: app.key, sdk });
  const channel = client.subscribe(name);
  await next(channel, 'pusher:subscription_succeeded');
  return { client, channel };
}

test('an event goes to a public and to a private channel', async (t) => {
  for (const name of [unique('orders'), unique('private-orders')]) {
    const { channel } = await join(t, name);
    const heard = next(channel, 'order-shipped');
    await sdk.trigger(name, 'order-shipped', { id: 7 });
    assert.deepEqual(await heard, { id: 7 });
  }
});

test('an event may have the hundred kilobytes that soketi allows, and no more', async (t) => {
  const name = unique('large');
  const { channel } = await join(t, name);
  const heard = next(channel, 'large');
  // A text goes as it is.
  const most = 'x'.repeat(100 * 1024);
  await sdk.trigger(name, 'large', most);
  assert.equal(await heard, most);
  await assert.rejects(sdk.trigger(name, 'large', `${most}x`), { status: 413 });
});

test('client events are off unless they are enabled', async (t) => {
  const { client, channel } = await join(t, unique('private-chat'));
  const error = next(client.connection, 'error');
  channel.trigger('client-typing', { who: 'Ada' });
  const refused = await error;
  assert.match(JSON.stringify(refused), /4301|client/i);
});
