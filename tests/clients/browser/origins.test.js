// The origin of a page, as a browser tells it and nobody in the page can change it (section 1.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, launch, site } from '../support/browser.js';
import { Client } from '../support/client.js';
import { next } from '../support/deadline.js';
import { port } from '../support/target.js';

const [browser, origin] = await Promise.all([launch(), site()]);
const visit = (t, title) => Page.open(t, browser, `${origin}/page?pusher.js&page.js`, title);

test('a page of an allowed origin connects', async (t) => {
  const page = await visit(t, 'a page from near');
  const socketId = await page.run((o) => window.connect(o), { key: 'near-key', port });
  assert.match(socketId, /^\d+\.\d+$/);
  assert.deepEqual(page.all('error'), []);
});

test('a page of another origin is refused with 4009 and stays away', async (t) => {
  const page = await visit(t, 'a page from afar');
  const state = await page.run(
    (options) =>
      new Promise((resolve) => {
        window.connect(options);
        window.pusher.connection.bind('disconnected', () => resolve('disconnected'));
      }),
    { key: 'far-key', port },
  );
  assert.equal(state, 'disconnected');
  assert.equal((await page.told('error')).data.code, 4009);
});

test('a client that is no page, and so tells no origin, is refused as well', async (t) => {
  const client = new Client({ key: 'far-key' });
  t.after(() => client.close());
  const { error } = await client.errors.first(() => true, 'an error');
  assert.equal(error.data.code, 4009);
  if (client.state !== 'disconnected') await next(client.pusher.connection, 'disconnected');
});
