// The server as a newcomer starts it, without any configuration: the credentials the banner names work.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Pusher from 'pusher';
import { next } from '../support/deadline.js';
import { stockClient } from '../support/stock.js';
import { demoApp, host, port } from '../support/target.js';

test('a stock client receives what a stock SDK triggers', async (t) => {
  const client = stockClient(t, { key: demoApp.key });
  const channel = client.subscribe('my-channel');
  await next(channel, 'pusher:subscription_succeeded');
  const heard = next(channel, 'my-event');

  const sdk = new Pusher({ ...demoApp, host, port, useTLS: false });
  await sdk.trigger('my-channel', 'my-event', { message: 'hello world' });
  assert.deepEqual(await heard, { message: 'hello world' });
});

test('client events are on in the demo application', async (t) => {
  const sdk = new Pusher({ ...demoApp, host, port, useTLS: false });
  const join = async () => {
    const client = stockClient(t, { key: demoApp.key, sdk });
    const channel = client.subscribe('private-chat');
    await next(channel, 'pusher:subscription_succeeded');
    return channel;
  };
  const [ada, max] = [await join(), await join()];
  const heard = next(max, 'client-typing');
  ada.trigger('client-typing', { who: 'Ada' });
  assert.deepEqual(await heard, { who: 'Ada' });
});

test('the page at / is served and loads no script from elsewhere', async () => {
  const response = await fetch(`http://${host}:${port}/`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/html\b/);
  const page = await response.text();
  assert.match(page, new RegExp(demoApp.key));
  assert.doesNotMatch(page, /<script[^>]+src=["']?https?:/i);
});
